-- Write the floor of an export: the plain columns of the same rows in the same order.
-- \copy would do the same, but it accepts no variables.
COPY (SELECT :columns FROM dossier WHERE org_id = :'org' AND :where ORDER BY created_at, id) TO STDOUT (FORMAT csv, HEADER) \g :file
