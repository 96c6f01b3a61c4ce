-- What dossier holds, for the floor's table: the same leads under the floor's own key.
INSERT INTO floor (org_id, name, phone, phone_key, email, source, lead_source, score, notes, created_by, updated_by)
SELECT org_id, name, phone, translate(phone, ' .-()', ''), email, source, lead_source, score, notes, created_by, updated_by
FROM dossier
ORDER BY id
