-- Exports that take longer than an answer may: handed over to process_export, claimed as imports are.
ALTER TABLE export_job
    ADD COLUMN excel boolean NOT NULL DEFAULT false,
    ADD COLUMN gzip boolean NOT NULL DEFAULT false,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    -- The version of the one request object that the job took: set by its first claim.
    ADD COLUMN request_version text,
    ADD COLUMN started_at timestamptz,
    ADD COLUMN failure_code text,
    DROP CONSTRAINT export_job_status_check,
    ADD CONSTRAINT export_job_status_check CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED'));
