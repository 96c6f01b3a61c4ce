-- name: merge_skip
-- `skipped` is the array of row numbers that staging_duplicates returned.
-- Rows are inserted as they were staged, in the order of the file: a temporary table is read from its beginning. A sort
-- would only cost time.
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM staging
WHERE row_number <> ALL (CAST(:skipped AS bigint[]))

-- name: merge_overwrite
-- The outcome is that of writing the rows of each phone one after another over its lead: of every column the last filled
-- cell stays. Of several active leads the one updated last is the target, then the one with the highest id.
-- A lead is updated if any of the rows changes it, even if a later row changes it back. Other programs may store cells
-- with white space outside, which an import trims; a difference in that alone is no change.
-- updated_at never goes back, so that the lead stays the target.
-- The look-up is that of staging_duplicates, for the same reasons.
WITH merged AS (
    SELECT
        phone_key,
        min(row_number) AS row_number,
        (array_agg(name ORDER BY row_number DESC))[1] AS name,
        (array_agg(phone ORDER BY row_number DESC))[1] AS phone,
        (array_agg(source ORDER BY row_number DESC))[1] AS source,
        (array_agg(email ORDER BY row_number DESC) FILTER (WHERE email IS NOT NULL))[1] AS email,
        (array_agg(lead_source ORDER BY row_number DESC) FILTER (WHERE lead_source IS NOT NULL))[1] AS lead_source,
        (array_agg(score ORDER BY row_number DESC) FILTER (WHERE score IS NOT NULL))[1] AS score,
        (array_agg(notes ORDER BY row_number DESC) FILTER (WHERE notes IS NOT NULL))[1] AS notes,
        -- One value is compared with the stored one below. Two different values are a change whatever was stored.
        min(name) <> max(name) OR min(phone) <> max(phone) OR min(source) <> max(source)
            OR coalesce(min(email) <> max(email), false) OR coalesce(min(lead_source) <> max(lead_source), false)
            OR coalesce(min(score) <> max(score), false) OR coalesce(min(notes) <> max(notes), false) AS varies
    FROM staging
    GROUP BY phone_key
), found AS MATERIALIZED (
    SELECT
        merged.*,
        target.id,
        varies
            OR merged.name <> target.name AND (from_this_transaction OR merged.name <> trimmed(target.name))
            OR merged.phone <> target.phone AND (from_this_transaction OR merged.phone <> trimmed(target.phone))
            OR merged.source <> target.source
            OR coalesce(
                merged.email <> target.email
                    AND (from_this_transaction OR merged.email <> trimmed(target.email)),
                merged.email IS NOT NULL)
            OR coalesce(
                merged.lead_source <> target.lead_source
                    AND (from_this_transaction OR merged.lead_source <> trimmed(target.lead_source)),
                merged.lead_source IS NOT NULL)
            OR (merged.score IS NOT NULL AND merged.score IS DISTINCT FROM target.score)
            OR coalesce(
                merged.notes <> target.notes
                    AND (from_this_transaction OR merged.notes <> trimmed(target.notes)),
                merged.notes IS NOT NULL) AS changes
    FROM merged
    LEFT JOIN LATERAL (
        -- This transaction has no savepoints, so its id is the xmin of every row that it wrote.
        SELECT *, xmin = CAST(pg_current_xact_id() AS xid) AS from_this_transaction
        FROM dossier
        WHERE (dossier.phone_key, dossier.org_id) >= (merged.phone_key, CAST(:org_id AS text))
            AND (dossier.phone_key, dossier.org_id) <= (merged.phone_key, CAST(:org_id AS text))
            AND dossier.status NOT IN ('WON', 'LOST')
        ORDER BY dossier.updated_at DESC, dossier.id DESC
        LIMIT 1
    ) AS target ON true
), updated AS (
    UPDATE dossier
    SET name = found.name, phone = found.phone, source = found.source,
        email = coalesce(found.email, dossier.email),
        lead_source = coalesce(found.lead_source, dossier.lead_source),
        score = coalesce(found.score, dossier.score),
        notes = coalesce(found.notes, dossier.notes),
        updated_at = greatest(now(), dossier.updated_at), updated_by = :created_by
    FROM found
    WHERE dossier.id = found.id AND dossier.org_id IS NOT DISTINCT FROM :org_id AND found.changes
)
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM found
WHERE id IS NULL
ORDER BY row_number

-- name: merge_create_new
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM staging
