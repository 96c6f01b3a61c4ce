-- name: staging_create
-- COPY is refused on a table with row-level security, so rows are staged here; it goes with the transaction.
CREATE TEMPORARY TABLE staging (
    row_number bigint NOT NULL,
    name text NOT NULL,
    phone text NOT NULL,
    email text,
    source text NOT NULL,
    lead_source text,
    score smallint,
    notes text
) ON COMMIT DROP

-- name: staging_duplicates
-- Of the staged rows, the numbers of those that SKIP leaves out: their phone is that of an earlier row, or of an active
-- lead. Rows whose phone the reader knows to be an earlier row's are not staged.
-- It is so of none but `candidates`, null for all, and the earlier rows are among them (import_engine/phone_filter.py).
-- The look-up is LATERAL, once for each phone, and compares phone and organisation as one row, which only
-- dossier_duplicates serves: statistics that do not know a new organisation would have each merge read all of its leads,
-- and a phone that many organisations have must not be looked up in all of them.
WITH candidate AS MATERIALIZED (
    SELECT row_number, phone_key(phone) COLLATE "C" AS phone_key
    FROM staging
    WHERE CAST(:candidates AS bigint[]) IS NULL OR row_number = ANY (CAST(:candidates AS bigint[]))
)
SELECT string_agg(CAST(row_number AS text), ',')
FROM (
    SELECT
        row_number,
        phone_key,
        phone_key = lag(phone_key) OVER (ORDER BY phone_key, row_number) AS seen
    FROM candidate
) AS row_in_order
LEFT JOIN LATERAL (
    SELECT true AS found
    FROM dossier
    WHERE seen IS NOT TRUE
        AND (dossier.phone_key, dossier.org_id) >= (row_in_order.phone_key, CAST(:org_id AS text))
        AND (dossier.phone_key, dossier.org_id) <= (row_in_order.phone_key, CAST(:org_id AS text))
        AND dossier.status NOT IN ('WON', 'LOST')
    LIMIT 1
) AS duplicate ON true
WHERE seen OR duplicate.found

-- name: stored_phone_suffixes
-- The last eight digits of the phone keys of the organisation's active leads, one after another; null when there are
-- more than `max_leads`. Shorter keys are left out.
SELECT
    CASE
        WHEN count(*) <= :max_leads
        THEN coalesce(string_agg(right(phone_key, 8), '') FILTER (WHERE length(phone_key) > 8), '')
    END
FROM (
    SELECT phone_key FROM dossier WHERE org_id = :org_id AND status NOT IN ('WON', 'LOST') LIMIT :max_leads + 1
) AS active
