-- Who claims the job now waits for this transaction, and then finds what it left. A row that somebody holds can wait.
SELECT CASE WHEN attempts = 0 AND object_key IS NULL THEN 'upload' ELSE 'import' END AS kind, object_key,
    correlation_id
FROM import_job
WHERE id = :id AND org_id = :org_id AND overdue(import_job)
FOR UPDATE SKIP LOCKED
