INSERT INTO export_job (org_id, filename, filters, columns, created_by)
VALUES (:org_id, :filename, CAST(:filters AS jsonb), CAST(:columns AS jsonb), :created_by)
RETURNING id
