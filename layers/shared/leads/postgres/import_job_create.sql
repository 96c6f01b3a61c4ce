INSERT INTO import_job (org_id, filename, merge_strategy, dry_run, created_by, correlation_id, object_key, object_version)
VALUES (:org_id, :filename, :merge_strategy, :dry_run, :created_by, :correlation_id, :object_key, :object_version)
ON CONFLICT (object_key, object_version) DO NOTHING
RETURNING id
