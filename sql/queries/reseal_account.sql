-- Replaces an account's sealed settings, encrypted with another key, unless the account was changed meanwhile.
WITH written AS (
    UPDATE accounts SET sealed = %(sealed)b, key_id = %(key_id)s
    WHERE client_id = %(client_id)s AND name = %(name)s AND version = %(version)s
    RETURNING client_id, name
)
INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
SELECT
    %(actor)s, client_id, 'account.resealed', name, jsonb_build_object('key', %(key_id)s::text), %(by_key)s::uuid, %(address)s::text,
    %(request_id)s::text
FROM written
RETURNING position
