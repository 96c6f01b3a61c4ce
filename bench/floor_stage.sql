BEGIN;
CREATE TEMPORARY TABLE stage (
    row_number bigserial,
    name text,
    phone text,
    email text,
    source text,
    lead_source text,
    score smallint,
    notes text
) ON COMMIT DROP;
\copy stage (name, phone, email, source, lead_source, score, notes) FROM pstdin WITH (FORMAT csv, HEADER)
