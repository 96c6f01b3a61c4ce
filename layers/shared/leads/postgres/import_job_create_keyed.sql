-- No row: the key is another request's. Only a job that is new was never repeated.
INSERT INTO import_job (org_id, filename, merge_strategy, dry_run, created_by, correlation_id, idempotency_key, file_digest)
VALUES (:org_id, :filename, :merge_strategy, :dry_run, :created_by, :correlation_id, :key, :file_digest)
ON CONFLICT (org_id, idempotency_key) WHERE idempotency_key IS NOT NULL
DO UPDATE SET repeated_at = clock_timestamp()
WHERE import_job.filename = excluded.filename AND import_job.merge_strategy = excluded.merge_strategy
    AND import_job.dry_run = excluded.dry_run AND import_job.file_digest IS NOT DISTINCT FROM excluded.file_digest
RETURNING id, repeated_at IS NULL AS first
