-- A POST that is sent again under its Idempotency-Key finds the job of the first one.
ALTER TABLE import_job
    -- Until it may begin another job; then null.
    ADD COLUMN idempotency_key text COLLATE "C",
    -- SHA-256 of the file that came with the key; null when the file was to be uploaded.
    ADD COLUMN file_digest bytea CHECK (length(file_digest) = 32),
    -- When the request was sent again, the last time.
    ADD COLUMN repeated_at timestamptz;

-- Of two requests at the same instant the second one waits for the first one's job.
CREATE UNIQUE INDEX import_job_idempotency_key ON import_job (org_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- As in migration 0008, but that the hour of an upload begins again when its caller is given another form.
CREATE OR REPLACE FUNCTION overdue(job import_job) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN job.status NOT IN ('PENDING', 'PROCESSING') THEN false
    WHEN job.attempts >= 3 THEN true
    WHEN job.attempts > 0 THEN event_gone(job.started_at)
    WHEN job.object_key IS NOT NULL THEN event_gone(job.created_at)
    ELSE coalesce(job.repeated_at, job.created_at) < now() - interval '75 minutes'
END;
