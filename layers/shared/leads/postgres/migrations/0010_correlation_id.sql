-- Of the request that began a job, or of the first event of a dropped file: the lines of all functions about the job have it.
ALTER TABLE import_job ADD COLUMN correlation_id text;
ALTER TABLE export_job ADD COLUMN correlation_id text;
