-- COPY is refused on a table with row-level security, so rows are staged here; it goes with the transaction.
CREATE TEMPORARY TABLE staging (
    row_number bigint NOT NULL,
    name text NOT NULL,
    phone text NOT NULL,
    phone_key text COLLATE "C" GENERATED ALWAYS AS (phone_key(phone)) STORED,
    email text,
    source text NOT NULL,
    lead_source text,
    score smallint,
    notes text
) ON COMMIT DROP
