-- A run that lost its connection tries once more at once: for a moment it has no lock, though it lives. Two looks do not
-- take it for dead, a minute apart, less what a schedule may stray. A job that no run ever claimed has none to wait for.
UPDATE export_job SET unattended_since = coalesce(unattended_since, now())
WHERE id = :id AND org_id = :org_id
RETURNING attempts = 0 OR unattended_since <= now() - interval '45 seconds'
