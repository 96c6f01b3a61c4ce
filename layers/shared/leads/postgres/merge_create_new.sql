INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM staging
