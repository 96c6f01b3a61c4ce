-- The first row of each phone becomes a lead unless the organisation has an active one of that phone.
WITH created AS (
    INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
    SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
    FROM (SELECT DISTINCT ON (phone_key) * FROM staging ORDER BY phone_key, row_number) AS first_of_phone
    WHERE NOT EXISTS (
        SELECT FROM dossier
        WHERE dossier.org_id = :org_id AND dossier.phone_key = first_of_phone.phone_key
            AND dossier.status NOT IN ('WON', 'LOST')
    )
    ORDER BY row_number
    RETURNING id
)
SELECT count(*) FROM created
