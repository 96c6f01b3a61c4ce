-- As if the rows of each phone were written one after another over its lead: of every column the last filled cell
-- stays. Of several active leads the one updated last is it, then the highest id. A lead is touched when any of the
-- rows changes it, even if a later one changes it back. updated_at never goes back, so that the lead stays the one.
WITH target AS (
    SELECT DISTINCT ON (phone_key) *
    FROM dossier
    WHERE org_id = :org_id AND status NOT IN ('WON', 'LOST') AND phone_key IN (SELECT phone_key FROM staging)
    ORDER BY phone_key, updated_at DESC, id DESC
), merged AS (
    SELECT
        target.id,
        min(staging.row_number) AS row_number,
        (array_agg(staging.name ORDER BY row_number DESC))[1] AS name,
        (array_agg(staging.phone ORDER BY row_number DESC))[1] AS phone,
        (array_agg(staging.source ORDER BY row_number DESC))[1] AS source,
        (array_agg(staging.email ORDER BY row_number DESC) FILTER (WHERE staging.email IS NOT NULL))[1] AS email,
        (array_agg(staging.lead_source ORDER BY row_number DESC)
            FILTER (WHERE staging.lead_source IS NOT NULL))[1] AS lead_source,
        (array_agg(staging.score ORDER BY row_number DESC) FILTER (WHERE staging.score IS NOT NULL))[1] AS score,
        (array_agg(staging.notes ORDER BY row_number DESC) FILTER (WHERE staging.notes IS NOT NULL))[1] AS notes,
        bool_or(
            staging.name <> target.name
            OR staging.phone <> target.phone
            OR staging.source <> target.source
            OR (staging.email IS NOT NULL AND staging.email IS DISTINCT FROM target.email)
            OR (staging.lead_source IS NOT NULL AND staging.lead_source IS DISTINCT FROM target.lead_source)
            OR (staging.score IS NOT NULL AND staging.score IS DISTINCT FROM target.score)
            OR (staging.notes IS NOT NULL AND staging.notes IS DISTINCT FROM target.notes)
        ) AS changes
    FROM staging LEFT JOIN target USING (phone_key)
    GROUP BY staging.phone_key, target.id
), updated AS (
    UPDATE dossier
    SET name = merged.name, phone = merged.phone, source = merged.source,
        email = coalesce(merged.email, dossier.email),
        lead_source = coalesce(merged.lead_source, dossier.lead_source),
        score = coalesce(merged.score, dossier.score),
        notes = coalesce(merged.notes, dossier.notes),
        updated_at = greatest(now(), dossier.updated_at), updated_by = :created_by
    FROM merged
    WHERE dossier.org_id = :org_id AND dossier.id = merged.id AND merged.changes
)
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM merged
WHERE id IS NULL
ORDER BY row_number
