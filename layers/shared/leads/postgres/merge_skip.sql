-- `skipped` is what staging_duplicates.sql found, as an array.
-- Rows come as they were staged, which is the order of the file: a table that only this session sees is read from its
-- beginning. To sort them would only cost.
INSERT INTO dossier (org_id, name, phone, email, source, lead_source, score, notes, created_by, updated_by)
SELECT :org_id, name, phone, email, source, lead_source, score, notes, :created_by, :created_by
FROM staging
WHERE row_number <> ALL (CAST(:skipped AS bigint[]))
