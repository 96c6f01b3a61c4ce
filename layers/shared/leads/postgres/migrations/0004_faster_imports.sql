-- What an import of a million rows spends its time on, made cheaper: the phone key, the policy, the indexes.

-- French national numbers as people write them: digits, spaces, dots and dashes. `squeezed` is the cell without the
-- last three. Numbers that may be overseas ones take the way of all others.
CREATE FUNCTION phone_key_of_written(phone text, squeezed text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF length(squeezed) = 10 AND squeezed ~ '^0[1-9][0-9]+$' AND left(squeezed, 3) NOT IN ('026', '059', '069') THEN
        RETURN '+33' || substr(squeezed, 2);
    END IF;
    RETURN nullif(public.phone_key_of_text(phone), '');
END
$$;

-- The same key as before for every text, which a property test holds it to: the stored ones stay right.
-- A short regular expression costs half of what trimming digits does in UTF-8.
CREATE OR REPLACE FUNCTION phone_key(phone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN phone ~ '^\+[0-9]+$' THEN phone
    ELSE phone_key_of_written(phone, replace(replace(replace(phone, ' ', ''), '.', ''), '-', ''))
END;

-- One index for the export's order and its filters instead of three: status and source are looked at within it, and
-- each of the other two cost an import a sixth of its time.
CREATE INDEX dossier_export ON dossier (org_id, created_at, id, status, source);

-- As a subquery the setting is read once for a statement, not once for each row.
ALTER POLICY organisation ON dossier
    USING (org_id IS NOT DISTINCT FROM (SELECT current_setting('app.org_id', true)))
    WITH CHECK (org_id IS NOT DISTINCT FROM (SELECT current_setting('app.org_id', true)));

-- Last, like the policy: both keep everybody else out until the migration is done.
DROP INDEX dossier_by_date, dossier_by_status, dossier_by_source;
