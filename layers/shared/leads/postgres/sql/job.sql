-- name: job_lock_held
-- pg_locks has a key of 64 bits in two halves, with objsubid 1.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((CAST(classid AS bigint) << 32) | CAST(objid AS bigint)) = hashtextextended(:job, 0)
)

-- name: job_signs_of_life
-- A living run changes between two looks: its connection starts another statement, or it records more rows.
-- To wait for a lock is no sign of life: a dead run's connection may do so until the server notices the death.
-- A role can read the statements of its own connections. pg_locks has a key of 64 bits in two halves, with objsubid 1.
SELECT run.holder, coalesce(run.waits, false) AS waits,
    CASE CAST(:table AS text)
        WHEN 'import_job' THEN (SELECT processed_rows FROM import_job WHERE id = :id AND org_id = :org_id)
        WHEN 'export_job' THEN (SELECT row_count FROM export_job WHERE id = :id AND org_id = :org_id)
    END AS progress
FROM (VALUES (1)) AS one (row)
LEFT JOIN (
    SELECT concat_ws(' ', activity.pid, activity.query_start) AS holder, activity.wait_event_type = 'Lock' AS waits
    FROM pg_locks AS held
    JOIN pg_stat_activity AS activity USING (pid)
    WHERE held.locktype = 'advisory' AND held.objsubid = 1 AND held.granted
        AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((CAST(held.classid AS bigint) << 32) | CAST(held.objid AS bigint)) = hashtextextended(:job, 0)
) AS run ON true
