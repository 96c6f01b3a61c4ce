-- Create :rows leads of the organisation, as imports over two years would, and a fifth more of other organisations.
-- 1 % of the leads are WON, and 1 % have the source referral. 7.3 days have 1 % of the leads.
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, status, score, notes, created_at, updated_at,
    created_by, updated_by, annonce_id, case_type)
SELECT
    CASE WHEN n % 6 = 0 THEN 'other-' || n / 6 % 10 ELSE :'org' END,
    'Jean Martin ' || n % 1000,
    '+336' || lpad((n * 7919::bigint % 100000000)::text, 8, '0'),
    'client' || n || '@example.com',
    CASE WHEN n % 120 = 7 THEN 'referral' ELSE 'web' END,
    'Campagne ' || n % 20,
    CASE WHEN n % 120 = 13 THEN 'WON' ELSE 'NEW' END,
    n % 101,
    'Lyon secteur ' || n % 50,
    timestamptz '2024-01-01 00:00:00+00' + n * interval '2 years' / (:rows * 6 / 5),
    timestamptz '2024-01-02 00:00:00+00' + n * interval '2 years' / (:rows * 6 / 5),
    'ana@agency.example',
    'ana@agency.example',
    'A' || n,
    'sale'
FROM generate_series(1, :rows * 6 / 5) AS n;
ANALYZE dossier;
