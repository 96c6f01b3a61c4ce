-- Any version of its object may be taken, which is the next one that is announced.
UPDATE import_job
SET status = 'PENDING', attempts = 0, started_at = NULL, finished_at = NULL, failure_code = NULL, failure_reason = NULL,
    object_key = NULL, object_version = NULL, unattended_since = NULL
WHERE id = :id AND org_id = :org_id AND status = 'FAILED' AND failure_code = :code
RETURNING id
