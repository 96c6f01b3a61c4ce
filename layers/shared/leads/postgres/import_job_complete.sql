UPDATE import_job
SET status = 'COMPLETED', total_rows = :total, success_count = :success, error_count = :error,
    skipped_count = :skipped, processed_rows = :total, faults = CAST(:faults AS jsonb), fault_count = :fault_count,
    ignored_columns = CAST(:ignored_columns AS jsonb), report_key = :report_key, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status IN ('PENDING', 'PROCESSING')
RETURNING id
