SELECT id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
FROM export_job
WHERE id = :id AND org_id = :org_id
