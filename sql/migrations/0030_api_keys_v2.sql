-- Keys with a prefix and a checksum, roles, allowed networks, and a successor. A key of the form before cannot be checked any more: it is
-- revoked here, so that the list says so.

ALTER TABLE api_keys ADD COLUMN roles text[] NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN networks cidr[] NOT NULL DEFAULT '{}';
ALTER TABLE api_keys ADD COLUMN replaced_by uuid;

UPDATE api_keys SET revoked_at = coalesce(revoked_at, now());

GRANT UPDATE (expires_at, replaced_by) ON api_keys TO threadline_service;
