-- For a run of process_export, which its request announces next.
UPDATE export_job SET status = 'PENDING', row_count = 0, started_at = NULL
WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
