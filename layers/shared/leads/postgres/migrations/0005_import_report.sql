-- The key of the file of rows that were not imported, when there are any.
ALTER TABLE import_job ADD COLUMN report_key text;
