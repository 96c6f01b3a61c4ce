UPDATE export_job
SET status = 'FAILED', failure_reason = :reason, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
