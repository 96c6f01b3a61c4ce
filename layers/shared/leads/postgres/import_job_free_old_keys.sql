-- A row that somebody holds is freed by a later request: who holds one already must not wait for another.
UPDATE import_job SET idempotency_key = NULL, file_digest = NULL
WHERE org_id = :org_id AND id IN (
    SELECT id FROM import_job
    WHERE org_id = :org_id AND idempotency_key IS NOT NULL AND created_at < now() - CAST(:lives AS interval)
    LIMIT :most
    FOR UPDATE SKIP LOCKED
)
