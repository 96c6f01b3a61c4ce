INSERT INTO :table (org_id, name, phone, :key_column email, source, lead_source, score, notes, created_by, updated_by)
SELECT :'org', name, phone, :key_value email, source, lead_source, score, notes, :'by', :'by'
FROM (SELECT *, :key AS key FROM stage) AS lead;
COMMIT;
