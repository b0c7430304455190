-- Notes that a removal of expired rows has finished.
UPDATE retention_run SET finished_at = now()
