-- The last eight digits of the phone keys of the organisation's active leads, one after another; null when there are
-- more than `most`. Shorter keys are left out.
SELECT
    CASE
        WHEN count(*) <= :most
        THEN coalesce(string_agg(right(phone_key, 8), '') FILTER (WHERE length(phone_key) > 8), '')
    END
FROM (
    SELECT phone_key FROM dossier WHERE org_id = :org_id AND status NOT IN ('WON', 'LOST') LIMIT :most + 1
) AS active
