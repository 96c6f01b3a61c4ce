UPDATE export_job SET row_count = :row_count WHERE id = :id AND org_id = :org_id AND status = 'PROCESSING'
