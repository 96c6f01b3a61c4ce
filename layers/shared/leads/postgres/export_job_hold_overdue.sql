-- Who claims the job now waits for this transaction, and then finds what it left. A row that somebody holds can wait.
SELECT CASE WHEN attempts = 0 AND status = 'PROCESSING' THEN 'direct_export' ELSE 'export' END AS kind,
    NULL AS object_key, correlation_id
FROM export_job
WHERE id = :id AND org_id = :org_id AND overdue(export_job)
FOR UPDATE SKIP LOCKED
