-- name: schema_migration_create
CREATE TABLE IF NOT EXISTS schema_migration (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: schema_migration_record
INSERT INTO schema_migration (version, name, checksum) VALUES (:version, :name, :checksum)

-- name: app_role_create
-- The functions' role owns nothing. The server enforces its limits, so that the locks of a dead function are released
-- within a minute. A transaction may idle for longer than one call of S3 takes. A lock is waited for longer than
-- expire_jobs holds a job while S3 is slow. An import waits longer for other imports.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'leads_app') THEN
        CREATE ROLE leads_app LOGIN;
    END IF;
END
$$;
ALTER ROLE leads_app SET tcp_keepalives_idle = 20;
ALTER ROLE leads_app SET tcp_keepalives_interval = 5;
ALTER ROLE leads_app SET tcp_keepalives_count = 3;
ALTER ROLE leads_app SET tcp_user_timeout = '35s';
ALTER ROLE leads_app SET client_connection_check_interval = '10s';
ALTER ROLE leads_app SET idle_in_transaction_session_timeout = '55s';
ALTER ROLE leads_app SET lock_timeout = '40s';

-- name: app_role_iam
-- Only a role that has rds_iam WITH ADMIN OPTION can grant it. If the owner has not, another role must grant it once.
DO $$
BEGIN
    IF NOT pg_has_role('leads_app', 'rds_iam', 'MEMBER') THEN
        GRANT rds_iam TO leads_app;
    END IF;
END
$$
