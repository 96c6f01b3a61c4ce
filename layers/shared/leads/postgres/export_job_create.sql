INSERT INTO export_job (org_id, filename, filters, columns, excel, gzip, created_by, correlation_id, started_at)
VALUES (:org_id, :filename, CAST(:filters AS jsonb), CAST(:columns AS jsonb), :excel, :gzip, :created_by, :correlation_id,
    now())
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
