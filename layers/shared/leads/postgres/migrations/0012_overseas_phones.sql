-- Overseas French numbers, too, get their key without a call of a function, and which they are stands in one place. The
-- same keys as before for every text, which a property test holds them to: the stored ones stay right.

-- What stands for the 0 of a French national number of ten digits: overseas ones have a country code of their own.
-- One expression, which Postgres takes into those that call it.
CREATE FUNCTION french_country_code(number text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE left(number, 4)
    WHEN '0590' THEN '+590' WHEN '0690' THEN '+590' WHEN '0691' THEN '+590'
    WHEN '0594' THEN '+594' WHEN '0694' THEN '+594'
    WHEN '0596' THEN '+596' WHEN '0696' THEN '+596' WHEN '0697' THEN '+596'
    WHEN '0262' THEN '+262' WHEN '0263' THEN '+262' WHEN '0692' THEN '+262' WHEN '0693' THEN '+262'
    ELSE '+33'
END;

CREATE OR REPLACE FUNCTION phone_number(written text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    number text := written;
BEGIN
    IF number ~ '^[^0-9+]*(\+|00)' THEN
        number := regexp_replace(number, '\(\s*0\s*\)', '');
    END IF;
    number := regexp_replace(regexp_replace(number, '[^0-9+]', '', 'g'), '^00(?=[1-9])', '+');
    IF number ~ '^\+[1-9][0-9]{5,14}$' AND written !~ '[0-9].*[/;,|\r\na-zA-Z].*[0-9]' THEN
        RETURN number;
    END IF;
    IF number ~ '^0[1-9][0-9]{8}$' THEN
        RETURN public.french_country_code(number) || substr(number, 2);
    END IF;
    RETURN NULL;
END
$$;

-- What is one national number but for spaces, dots and dashes: `squeezed` is the cell without them.
CREATE OR REPLACE FUNCTION phone_key_of_written(phone text, squeezed text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF length(squeezed) = 10 AND squeezed ~ '^0[1-9][0-9]+$' THEN
        RETURN public.french_country_code(squeezed) || substr(squeezed, 2);
    END IF;
    RETURN nullif(public.phone_key_of_text(phone), '');
END
$$;

-- LIKE costs a tenth of a regular expression and tells the shape, so that a short one will do for the digits. It also
-- tells which numbers may be overseas ones: to ask for the country code of every one takes half as long again.
CREATE OR REPLACE FUNCTION phone_key(phone text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN phone LIKE '+%' AND phone ~ '^\+[0-9]+$' THEN phone
    WHEN phone LIKE '0_________' AND phone ~ '^0[1-9][0-9]+$' THEN
        CASE
            WHEN phone LIKE '026%' OR phone LIKE '059%' OR phone LIKE '069%' THEN french_country_code(phone)
            ELSE '+33'
        END || substr(phone, 2)
    WHEN phone LIKE '0_ __ __ __ __' AND phone ~ '^0[1-9]( [0-9][0-9])+$' THEN
        CASE
            WHEN phone LIKE '02 6%' OR phone LIKE '05 9%' OR phone LIKE '06 9%'
                THEN french_country_code(replace(phone, ' ', ''))
            ELSE '+33'
        END || substr(replace(phone, ' ', ''), 2)
    WHEN phone LIKE '0_.__.__.__.__' AND phone ~ '^0[1-9](\.[0-9][0-9])+$' THEN
        CASE
            WHEN phone LIKE '02.6%' OR phone LIKE '05.9%' OR phone LIKE '06.9%'
                THEN french_country_code(replace(phone, '.', ''))
            ELSE '+33'
        END || substr(replace(phone, '.', ''), 2)
    ELSE phone_key_of_written(phone, replace(replace(replace(phone, ' ', ''), '.', ''), '-', ''))
END;
