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
