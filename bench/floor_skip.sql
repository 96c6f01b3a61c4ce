INSERT INTO :table (org_id, name, phone, :key_column email, source, lead_source, score, notes, created_by, updated_by)
SELECT :'org', name, phone, :key_value email, source, lead_source, score, notes, :'by', :'by'
FROM (SELECT DISTINCT ON (key) * FROM (SELECT *, :key AS key FROM stage) AS keyed ORDER BY key, row_number) AS lead
WHERE NOT EXISTS (
    SELECT FROM :table AS stored
    WHERE stored.org_id = :'org' AND stored.phone_key = lead.key AND stored.status NOT IN ('WON', 'LOST')
);
COMMIT;
