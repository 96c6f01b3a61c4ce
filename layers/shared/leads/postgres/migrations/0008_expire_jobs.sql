-- What expire_jobs asks: which jobs nobody else will end.

-- Since when expire_jobs has found no run at work on a job that has had one; a claim clears it.
ALTER TABLE import_job ADD COLUMN unattended_since timestamptz;
ALTER TABLE export_job ADD COLUMN unattended_since timestamptz;

-- What is unfinished is little beside what is over, and is looked for every minute.
CREATE INDEX import_job_unfinished ON import_job (id) WHERE status IN ('PENDING', 'PROCESSING');
CREATE INDEX export_job_unfinished ON export_job (id) WHERE status IN ('PENDING', 'PROCESSING');

-- Whether S3's event of an object that was stored then is delivered no more: template.yaml has Lambda keep events for an
-- hour (MaximumEventAgeInSeconds). Five minutes are for S3 to announce it, for a function that starts, and for clocks.
CREATE FUNCTION event_gone(stored_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN stored_at < now() - interval '65 minutes';

-- Whether no event will end a job, if no run has it now.
-- After the first invocation and Lambda's two retries no more are to come. A job's object is older than its first run, and
-- a dropped file's is older than its job. An upload may begin within an hour (UPLOAD_SECONDS of s3/bucket.py); the quarter
-- more is what a gibibyte takes over 10 Mbit/s, and one that takes even longer is imported all the same.
CREATE FUNCTION overdue(job import_job) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN job.status NOT IN ('PENDING', 'PROCESSING') THEN false
    WHEN job.attempts >= 3 THEN true
    WHEN job.attempts > 0 THEN event_gone(job.started_at)
    WHEN job.object_key IS NOT NULL THEN event_gone(job.created_at)
    ELSE job.created_at < now() - interval '75 minutes'
END;

-- The run that answers its caller makes no attempt, takes no lock and lives 29 s; what it hands over it hands over by then.
CREATE FUNCTION overdue(job export_job) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN job.status NOT IN ('PENDING', 'PROCESSING') THEN false
    WHEN job.attempts >= 3 THEN true
    WHEN job.attempts = 0 AND job.status = 'PROCESSING' THEN job.created_at < now() - interval '5 minutes'
    ELSE event_gone(job.created_at)
END;

-- The one way to see across organisations, and it shows no more than where to look. Each job is then looked at and ended
-- under the policies. In any order: those that cannot be ended yet must not keep the others waiting.
CREATE FUNCTION overdue_jobs(most integer) RETURNS TABLE (job_table text, org_id text, id bigint)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT job.job_table, job.org_id, job.id
    FROM (
        SELECT 'import_job' AS job_table, one.org_id, one.id
        FROM import_job AS one
        WHERE one.status IN ('PENDING', 'PROCESSING') AND overdue(one)
        UNION ALL
        SELECT 'export_job', one.org_id, one.id
        FROM export_job AS one
        WHERE one.status IN ('PENDING', 'PROCESSING') AND overdue(one)
    ) AS job
    ORDER BY random()
    LIMIT most;
END;
REVOKE ALL ON FUNCTION overdue_jobs(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION overdue_jobs(integer) TO leads_app;
