-- When an operator had a dead letter's record read again.

ALTER TABLE dead_letters ADD COLUMN replayed_at timestamptz;

GRANT UPDATE (replayed_at) ON dead_letters TO threadline_service;
