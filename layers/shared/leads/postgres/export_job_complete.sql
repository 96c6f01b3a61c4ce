UPDATE export_job
SET status = 'COMPLETED', row_count = :row_count, size_bytes = :size_bytes, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
