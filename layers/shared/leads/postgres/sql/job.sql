-- name: job_lock_held
-- pg_locks has a key of 64 bits in two halves, with objsubid 1.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND ((CAST(classid AS bigint) << 32) | CAST(objid AS bigint)) = hashtextextended(:job, 0)
)
