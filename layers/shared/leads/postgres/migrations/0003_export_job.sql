-- The exports: personal data left the house, and somebody will ask who took what and when.
CREATE TABLE export_job (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id text COLLATE "C" NOT NULL CHECK (org_id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$'),
    status varchar(20) NOT NULL DEFAULT 'PROCESSING' CHECK (status IN ('PROCESSING', 'COMPLETED', 'FAILED')),
    filename text NOT NULL,
    filters jsonb NOT NULL,
    columns jsonb NOT NULL,
    row_count bigint NOT NULL DEFAULT 0,
    size_bytes bigint NOT NULL DEFAULT 0,
    failure_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    finished_at timestamptz
);

CREATE INDEX export_job_history ON export_job (org_id, id DESC);

ALTER TABLE export_job ENABLE ROW LEVEL SECURITY;
CREATE POLICY organisation ON export_job TO leads_app
    USING (org_id IS NOT DISTINCT FROM current_setting('app.org_id', true))
    WITH CHECK (org_id IS NOT DISTINCT FROM current_setting('app.org_id', true));
GRANT SELECT, INSERT, UPDATE ON export_job TO leads_app;
