MERGE INTO :table AS stored
USING (
    SELECT DISTINCT ON (key) * FROM (SELECT *, :key AS key FROM stage) AS keyed ORDER BY key, row_number DESC
) AS lead
ON stored.org_id = :'org' AND stored.phone_key = lead.key AND stored.status NOT IN ('WON', 'LOST')
WHEN MATCHED THEN UPDATE SET
    name = lead.name,
    phone = lead.phone,
    email = coalesce(lead.email, stored.email),
    source = lead.source,
    lead_source = coalesce(lead.lead_source, stored.lead_source),
    score = coalesce(lead.score, stored.score),
    notes = coalesce(lead.notes, stored.notes),
    updated_at = now(),
    updated_by = :'by'
WHEN NOT MATCHED THEN INSERT
    (org_id, name, phone, :key_column email, source, lead_source, score, notes, created_by, updated_by)
    VALUES (:'org', lead.name, lead.phone, :key_value lead.email, lead.source, lead.lead_source, lead.score, lead.notes,
        :'by', :'by');
COMMIT;
