-- When a removal of expired rows last finished; at first when the table was made.
SELECT finished_at, now() AS now FROM retention_run
