-- Takes the lock under which the audit is sealed and anchored, until the transaction ends; `free` is false while another has it.
SELECT pg_try_advisory_xact_lock(29796, 31) AS free, now() AS at
