-- Faults are shown with one job, not with the list of them.
SELECT id, org_id, filename, merge_strategy, dry_run, status, success_count, error_count, skipped_count,
    processed_rows, CAST('[]' AS jsonb) AS faults, fault_count, ignored_columns, report_key, failure_code, failure_reason,
    created_at, created_by, started_at, finished_at, correlation_id, attempts
FROM import_job
WHERE org_id = :org_id AND id < :before AND (CAST(:status AS text) IS NULL OR status = :status)
ORDER BY id DESC
LIMIT :limit
