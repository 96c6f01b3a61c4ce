-- The first row of each phone becomes a lead unless the organisation has an active one of that phone.
-- The look-up is LATERAL, and org_id is compared in a way that no index serves, so that dossier_duplicates is the one
-- way to it: statistics that do not know a new organisation would have each chunk read all of its leads.
WITH created AS (
    INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
    SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
    FROM (SELECT DISTINCT ON (phone_key) * FROM staging ORDER BY phone_key, row_number) AS first_of_phone
    LEFT JOIN LATERAL (
        SELECT true AS found
        FROM dossier
        WHERE dossier.phone_key = first_of_phone.phone_key
            AND dossier.org_id IS NOT DISTINCT FROM :org_id
            AND dossier.status NOT IN ('WON', 'LOST')
        LIMIT 1
    ) AS duplicate ON true
    WHERE duplicate.found IS NULL
    ORDER BY row_number
    RETURNING id
)
SELECT count(*) FROM created
