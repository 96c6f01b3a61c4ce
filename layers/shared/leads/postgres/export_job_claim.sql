-- A job that COMPLETED, or FAILED for good, is over; one that FAILED by a fault that may pass is tried again.
UPDATE export_job
SET status = 'PROCESSING', attempts = attempts + CAST(:counted AS integer), started_at = coalesce(started_at, now()),
    finished_at = NULL, failure_code = NULL, failure_reason = NULL, row_count = 0, request_version = :request_version,
    unattended_since = NULL
WHERE id = :id AND org_id = :org_id
    AND (request_version IS NULL OR request_version = :request_version)
    AND (status IN ('PENDING', 'PROCESSING') OR (status = 'FAILED' AND failure_code = 'INTERNAL'))
RETURNING attempts
