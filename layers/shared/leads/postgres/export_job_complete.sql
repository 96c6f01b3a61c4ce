UPDATE export_job
SET status = 'COMPLETED', row_count = :row_count, size_bytes = :size_bytes, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id
