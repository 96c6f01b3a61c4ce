-- Only who has rds_iam WITH ADMIN OPTION may give it: an owner without it needs somebody who did so once.
DO $$
BEGIN
    IF NOT pg_has_role('leads_app', 'rds_iam', 'MEMBER') THEN
        GRANT rds_iam TO leads_app;
    END IF;
END
$$
