-- Copy the leads of dossier to the floor's table, with the floor's phone key.
INSERT INTO floor (org_id, name, phone, phone_key, email, source, lead_source, score, notes, created_by, updated_by)
SELECT org_id, name, phone, translate(phone, ' .-()', ''), email, source, lead_source, score, notes, created_by, updated_by
FROM dossier
ORDER BY id
