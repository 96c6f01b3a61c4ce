UPDATE import_job
SET status = 'FAILED', failure_code = :code, failure_reason = :reason, processed_rows = 0,
    finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status IN ('PENDING', 'PROCESSING')
RETURNING id
