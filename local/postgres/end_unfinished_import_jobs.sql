UPDATE import_job
   SET status = 'FAILED', failure_code = 'STACK_RESTARTED', failure_reason = 'the local stack was restarted',
       processed_rows = 0, finished_at = now()
 WHERE status IN ('PENDING', 'PROCESSING')
