UPDATE import_job SET processed_rows = :processed WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
