SELECT id FROM import_job
WHERE org_id = :org_id AND object_key = :object_key AND object_version = :object_version
