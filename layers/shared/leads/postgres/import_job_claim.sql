-- A job that COMPLETED, or FAILED for good, is over; one that FAILED by a fault that may pass is tried again, and one that
-- was taken for never uploaded when its file comes after all.
UPDATE import_job
SET status = 'PROCESSING', attempts = attempts + CAST(:counted AS integer), started_at = coalesce(started_at, now()), finished_at = NULL,
    failure_code = NULL, failure_reason = NULL, processed_rows = 0, object_key = :object_key,
    object_version = :object_version, unattended_since = NULL
WHERE id = :id AND org_id = :org_id
    AND (object_version IS NULL OR (object_key = :object_key AND object_version = :object_version))
    AND (status IN ('PENDING', 'PROCESSING') OR (status = 'FAILED' AND failure_code IN ('INTERNAL', 'ORGANISATION_BUSY', 'NOT_UPLOADED')))
RETURNING merge_strategy, dry_run, created_by, attempts, correlation_id
