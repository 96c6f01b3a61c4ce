-- name: import_job_create
INSERT INTO import_job (org_id, filename, merge_strategy, dry_run, created_by, correlation_id, object_key, object_version)
VALUES (:org_id, :filename, :merge_strategy, :dry_run, :created_by, :correlation_id, :object_key, :object_version)
ON CONFLICT (object_key, object_version) DO NOTHING
RETURNING id

-- name: import_job_find_by_object
SELECT id FROM import_job
WHERE org_id = :org_id AND object_key = :object_key AND object_version = :object_version

-- name: import_job_free_key
UPDATE import_job SET idempotency_key = NULL, file_digest = NULL
WHERE org_id = :org_id AND idempotency_key = :key AND created_at < now() - CAST(:lifetime AS interval)

-- name: import_job_free_old_keys
-- A row that another request has locked is freed by a later one: a request that locks rows must not wait for others.
UPDATE import_job SET idempotency_key = NULL, file_digest = NULL
WHERE org_id = :org_id AND id IN (
    SELECT id FROM import_job
    WHERE org_id = :org_id AND idempotency_key IS NOT NULL AND created_at < now() - CAST(:lifetime AS interval)
    LIMIT :max_keys
    FOR UPDATE SKIP LOCKED
)

-- name: import_job_create_keyed
-- Returns no row if the key belongs to a different request. A job without repeated_at is new.
INSERT INTO import_job (org_id, filename, merge_strategy, dry_run, created_by, correlation_id, idempotency_key, file_digest)
VALUES (:org_id, :filename, :merge_strategy, :dry_run, :created_by, :correlation_id, :key, :file_digest)
ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL
DO UPDATE SET repeated_at = clock_timestamp()
WHERE import_job.filename = excluded.filename AND import_job.merge_strategy = excluded.merge_strategy
    AND import_job.dry_run = excluded.dry_run AND import_job.file_digest IS NOT DISTINCT FROM excluded.file_digest
RETURNING id, repeated_at IS NULL AS is_new

-- name: import_job_restart
-- The next version of its object that an event announces can claim it.
UPDATE import_job
SET status = 'PENDING', attempts = 0, started_at = NULL, finished_at = NULL, failure_code = NULL, failure_reason = NULL,
    object_key = NULL, object_version = NULL, unattended_since = NULL
WHERE id = :id AND org_id = :org_id AND status = 'FAILED' AND failure_code = :code
RETURNING id

-- name: import_job_claim
-- Unfinished jobs can be claimed, jobs that FAILED by a fault that may pass, and NOT_UPLOADED ones if the file came after
-- all. All others have ended for good.
UPDATE import_job
SET status = 'PROCESSING', attempts = attempts + CAST(:counted AS integer), started_at = coalesce(started_at, now()), finished_at = NULL,
    failure_code = NULL, failure_reason = NULL, processed_rows = 0, object_key = :object_key,
    object_version = :object_version, unattended_since = NULL
WHERE id = :id AND org_id = :org_id
    AND (object_version IS NULL OR (object_key = :object_key AND object_version = :object_version))
    AND (status IN ('PENDING', 'PROCESSING') OR (status = 'FAILED' AND failure_code IN ('INTERNAL', 'ORGANISATION_BUSY', 'NOT_UPLOADED')))
RETURNING merge_strategy, dry_run, created_by, attempts, correlation_id

-- name: import_job_progress
UPDATE import_job SET processed_rows = :processed WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'

-- name: import_job_complete
UPDATE import_job
SET status = 'COMPLETED', total_rows = :total, success_count = :success, error_count = :error,
    skipped_count = :skipped, processed_rows = :total, faults = CAST(:faults AS jsonb), fault_count = :fault_count,
    ignored_columns = CAST(:ignored_columns AS jsonb), report_key = :report_key, finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status IN ('PENDING', 'PROCESSING')
RETURNING id

-- name: import_job_fail
UPDATE import_job
SET status = 'FAILED', failure_code = :code, failure_reason = :reason, processed_rows = 0,
    finished_at = clock_timestamp()
WHERE id = :id AND org_id = :org_id AND status IN ('PENDING', 'PROCESSING')
RETURNING id

-- name: import_job_get
SELECT id, org_id, filename, merge_strategy, dry_run, status, success_count, error_count, skipped_count,
    processed_rows, faults, fault_count, ignored_columns, report_key, failure_code, failure_reason,
    created_at, created_by, started_at, finished_at, correlation_id, attempts
FROM import_job
WHERE id = :id AND org_id = :org_id

-- name: import_job_list
-- A job in a list has no faults, only their number.
SELECT id, org_id, filename, merge_strategy, dry_run, status, success_count, error_count, skipped_count,
    processed_rows, CAST('[]' AS jsonb) AS faults, fault_count, ignored_columns, report_key, failure_code, failure_reason,
    created_at, created_by, started_at, finished_at, correlation_id, attempts
FROM import_job
WHERE org_id = :org_id AND id < :before AND (CAST(:status AS text) IS NULL OR status = :status)
ORDER BY id DESC
LIMIT :limit

-- name: import_job_hold_overdue
-- A claim that comes now waits for this transaction and then reads its result. A row that another transaction has locked
-- is skipped: a later run of expire_jobs looks at it.
SELECT CASE WHEN attempts = 0 AND object_key IS NULL THEN 'upload' ELSE 'import' END AS kind, object_key,
    correlation_id
FROM import_job
WHERE id = :id AND org_id = :org_id AND overdue(import_job)
FOR UPDATE SKIP LOCKED

-- name: import_job_unattended
-- A run that lost its connection connects again at once: for a moment it has no lock although it lives. So a job counts
-- as unattended after two looks, a minute apart; 45 seconds allow for a schedule that is not exact. A job that was never
-- claimed has no run to wait for.
UPDATE import_job SET unattended_since = coalesce(unattended_since, now())
WHERE id = :id AND org_id = :org_id
RETURNING attempts = 0 OR unattended_since <= now() - interval '45 seconds'
