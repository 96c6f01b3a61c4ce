-- name: merge_skip
-- `skipped` is what staging_duplicates found, as an array.
-- Rows come as they were staged, which is the order of the file: a table that only this session sees is read from its
-- beginning. To sort them would only cost.
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM staging
WHERE row_number <> ALL (CAST(:skipped AS bigint[]))

-- name: merge_overwrite
-- As if the rows of each phone were written one after another over its lead: of every column the last filled cell
-- stays. Of several active leads the one updated last is it, then the highest id. A lead is touched when any of the
-- rows changes it, even if a later one changes it back; what differs from a lead of before the import by white space
-- that this has outside, and an import's cells have not, is no change. updated_at never goes back, so that the lead
-- stays the one.
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
        -- A column that had one value only may be compared by it; two values are a change whatever was stored.
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
            OR merged.name <> target.name AND (ours OR merged.name <> trimmed(target.name))
            OR merged.phone <> target.phone AND (ours OR merged.phone <> trimmed(target.phone))
            OR merged.source <> target.source
            OR coalesce(
                merged.email <> target.email AND (ours OR merged.email <> trimmed(target.email)),
                merged.email IS NOT NULL)
            OR coalesce(
                merged.lead_source <> target.lead_source
                    AND (ours OR merged.lead_source <> trimmed(target.lead_source)),
                merged.lead_source IS NOT NULL)
            OR (merged.score IS NOT NULL AND merged.score IS DISTINCT FROM target.score)
            OR coalesce(
                merged.notes <> target.notes AND (ours OR merged.notes <> trimmed(target.notes)),
                merged.notes IS NOT NULL) AS changes
    FROM merged
    LEFT JOIN LATERAL (
        -- Written by this transaction, which has no savepoints.
        SELECT *, xmin = CAST(pg_current_xact_id() AS xid) AS ours
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
