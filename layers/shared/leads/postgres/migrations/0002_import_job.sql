-- The imports: what was asked, how far it is, what came of it.
CREATE TABLE import_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id text COLLATE "C" NOT NULL CHECK (org_id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    filename text NOT NULL,
    merge_strategy varchar(20) NOT NULL CHECK (merge_strategy IN ('SKIP', 'OVERWRITE', 'CREATE_NEW')),
    dry_run boolean NOT NULL DEFAULT false,
    status varchar(20) NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')),
    -- The one object that the job took: set by its first claim, or at once for a dropped file.
    object_key text,
    object_version text,
    attempts integer NOT NULL DEFAULT 0,
    total_rows bigint NOT NULL DEFAULT 0,
    success_count bigint NOT NULL DEFAULT 0,
    error_count bigint NOT NULL DEFAULT 0,
    skipped_count bigint NOT NULL DEFAULT 0,
    processed_rows bigint NOT NULL DEFAULT 0,
    -- The first 1,000 faults as [row, field, message], and how many there are.
    faults jsonb NOT NULL DEFAULT '[]',
    fault_count bigint NOT NULL DEFAULT 0,
    ignored_columns jsonb NOT NULL DEFAULT '[]',
    failure_code text,
    failure_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    CONSTRAINT counts_add_up CHECK (total_rows = success_count + error_count + skipped_count),
    CONSTRAINT counts_when_completed CHECK (status = 'COMPLETED' OR total_rows = 0),
    CONSTRAINT reason_when_failed CHECK ((status = 'FAILED') = (failure_reason IS NOT NULL))
);

CREATE INDEX import_job_history ON import_job (org_id, id DESC);
-- Each put to drop/ is one job, however often S3 announces it.
CREATE UNIQUE INDEX import_job_object ON import_job (object_key, object_version);

ALTER TABLE import_job ENABLE ROW LEVEL SECURITY;
CREATE POLICY organisation ON import_job TO leads_app
    USING (org_id IS NOT DISTINCT FROM current_setting('app.org_id', true))
    WITH CHECK (org_id IS NOT DISTINCT FROM current_setting('app.org_id', true));
GRANT SELECT, INSERT, UPDATE ON import_job TO leads_app;
