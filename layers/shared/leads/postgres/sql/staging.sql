-- name: staging_create
-- COPY is refused on a table with row-level security, so rows are staged here. The table is dropped with the transaction.
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
-- Returns the numbers of the staged rows to skip: their phone is that of an earlier row or of an active lead.
-- `candidates` are the only rows that are compared, earlier rows included (import_engine/phone_filter.py); null means all.
-- The look-up is LATERAL, once for each phone, and compares phone and organisation as one row, which only the index
-- dossier_duplicates serves. With statistics that do not know a new organisation, each merge would otherwise read all of
-- its leads. And a phone that many organisations have must not be looked up in all of them.
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
-- Returns the last eight digits of the phone keys of the organisation's active leads, one after another, without shorter
-- keys. Returns null if there are more than `max_leads` leads.
SELECT
    CASE
        WHEN count(*) <= :max_leads
        THEN coalesce(string_agg(right(phone_key, 8), '') FILTER (WHERE length(phone_key) > 8), '')
    END
FROM (
    SELECT phone_key FROM dossier WHERE org_id = :org_id AND status NOT IN ('WON', 'LOST') LIMIT :max_leads + 1
) AS active
