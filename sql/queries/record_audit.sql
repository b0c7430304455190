-- Adds entries to the audit.
INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
SELECT e.actor, e.client_id, e.action, e.subject, e.detail, e.key_id, e.address, e.request_id, e.why
FROM jsonb_to_recordset(%(entries)s::jsonb) AS e (
    actor text, client_id text, action text, subject text, detail jsonb, key_id uuid, address text, request_id text, why text
)
