UPDATE export_job
   SET status = 'FAILED', failure_code = 'STACK_RESTARTED', failure_reason = 'the local stack was restarted',
       row_count = 0, finished_at = now()
 WHERE status IN ('PENDING', 'PROCESSING')
