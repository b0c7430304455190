-- Keys that end by themselves, and when each was last used.

ALTER TABLE api_keys ADD COLUMN expires_at timestamptz;
ALTER TABLE api_keys ADD COLUMN last_used_at timestamptz;

GRANT UPDATE (last_used_at) ON api_keys TO threadline_service;
