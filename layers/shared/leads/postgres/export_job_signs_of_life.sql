-- What a run that has the job does and a dead one does not: it asks its connection for something, or shows more rows.
-- Whether it waits for a lock is no sign by itself: a dead run's connection does so, too, until the server misses it.
-- The statements of the role's own connections are seen. A key of 64 bits is shown in two halves, with objsubid 1
-- (PostgreSQL, pg_locks).
SELECT run.holder, coalesce(run.waits, false) AS waits,
    (SELECT row_count FROM export_job WHERE id = :id AND org_id = :org_id) AS progress
FROM (VALUES (1)) AS one (row)
LEFT JOIN (
    SELECT concat_ws(' ', activity.pid, activity.query_start) AS holder, activity.wait_event_type = 'Lock' AS waits
    FROM pg_locks AS taken
    JOIN pg_stat_activity AS activity USING (pid)
    WHERE taken.locktype = 'advisory' AND taken.objsubid = 1 AND taken.granted
        AND taken.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((CAST(taken.classid AS bigint) << 32) | CAST(taken.objid AS bigint)) = hashtextextended(:job, 0)
) AS run ON true
