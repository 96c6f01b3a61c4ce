UPDATE import_job SET idempotency_key = NULL, file_digest = NULL
WHERE org_id = :org_id AND idempotency_key = :key AND created_at < now() - CAST(:lives AS interval)
