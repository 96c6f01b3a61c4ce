-- name: export_job_create
INSERT INTO export_job (org_id, filename, filters, columns, excel, gzip, created_by, correlation_id, started_at)
VALUES (:org_id, :filename, CAST(:filters AS jsonb), CAST(:columns AS jsonb), :excel, :gzip, :created_by, :correlation_id,
    now())
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id

-- name: export_job_hand_over
-- The request that announces the job to process_export is stored after this.
UPDATE export_job SET status = 'PENDING', row_count = 0, started_at = NULL
WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id

-- name: export_job_claim
-- Unfinished jobs can be claimed, and jobs that FAILED by a fault that may pass. All others have ended for good.
UPDATE export_job
SET status = 'PROCESSING', attempts = attempts + CAST(:counted AS integer), started_at = coalesce(started_at, now()),
    finished_at = NULL, failure_code = NULL, failure_reason = NULL, row_count = 0, request_version = :request_version,
    unattended_since = NULL
WHERE id = :id AND org_id = :org_id
    AND (request_version IS NULL OR request_version = :request_version)
    AND (status IN ('PENDING', 'PROCESSING') OR (status = 'FAILED' AND failure_code = 'INTERNAL'))
RETURNING attempts

-- name: export_job_progress
UPDATE export_job SET row_count = :row_count WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'

-- name: export_job_complete
UPDATE export_job
SET status = 'COMPLETED', row_count = :row_count, size_bytes = :size_bytes, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
RETURNING id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id

-- name: export_job_fail
UPDATE export_job
SET status = 'FAILED', failure_code = :code, failure_reason = :reason, row_count = 0, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status IN ('PENDING', 'PROCESSING')
RETURNING id

-- name: export_job_get
SELECT id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
FROM export_job
WHERE id = :id AND org_id = :org_id

-- name: export_job_list
SELECT id, org_id, filename, filters, columns, excel, gzip, status, row_count, size_bytes, failure_code,
    failure_reason, created_at, created_by, started_at, finished_at, correlation_id
FROM export_job
WHERE org_id = :org_id AND id < :before AND (CAST(:status AS text) IS NULL OR status = :status)
ORDER BY id DESC
LIMIT :limit

-- name: export_job_hold_overdue
-- A claim that comes now waits for this transaction and then reads its result. A row that another transaction has locked
-- is skipped: a later run of expire_jobs looks at it.
SELECT CASE WHEN attempts = 0 AND status = 'PROCESSING' THEN 'direct_export' ELSE 'export' END AS kind,
    NULL AS object_key, correlation_id
FROM export_job
WHERE id = :id AND org_id = :org_id AND overdue(export_job)
FOR UPDATE SKIP LOCKED

-- name: export_job_unattended
-- A run that lost its connection connects again at once: for a moment it has no lock although it lives. So a job counts
-- as unattended after two looks, a minute apart; 45 seconds allow for a schedule that is not exact. A job that was never
-- claimed has no run to wait for.
UPDATE export_job SET unattended_since = coalesce(unattended_since, now())
WHERE id = :id AND org_id = :org_id
RETURNING attempts = 0 OR unattended_since <= now() - interval '45 seconds'
