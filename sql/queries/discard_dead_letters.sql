-- Discards those of these dead letters that were not handled, and notes it in the audit. With `remove` what was kept of their
-- records goes: size and digest stay, and the reason in its general form. Returns their ids.
WITH chosen AS (
    SELECT d.id
    FROM dead_letters AS d
    WHERE d.id = ANY (%(ids)s::uuid[]) AND d.replayed_at IS NULL AND d.discarded_at IS NULL
    ORDER BY d.id
    FOR UPDATE
),
discarded AS (
    UPDATE dead_letters AS d SET
        discarded_at = now(), discarded_by = %(actor)s, discard_reason = %(why)s,
        record_removed = %(remove)s,
        value = CASE WHEN NOT %(remove)s THEN d.value END,
        detail = CASE WHEN NOT %(remove)s THEN d.detail END,
        items = CASE WHEN NOT %(remove)s THEN d.items ELSE '[]' END,
        sealed_reason = CASE WHEN NOT %(remove)s THEN d.sealed_reason END,
        sealed_detail = CASE WHEN NOT %(remove)s THEN d.sealed_detail END,
        reason = CASE WHEN NOT %(remove)s THEN d.reason ELSE d.general END
    FROM chosen
    WHERE d.id = chosen.id
    RETURNING d.id, d.client_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(actor)s, coalesce(client_id, ''), 'dead_letter.discard', id::text,
        jsonb_strip_nulls(jsonb_build_object('key', %(key)s::text, 'reason', %(why)s::text, 'recordRemoved', %(remove)s)),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(why)s::text
    FROM discarded
)
SELECT id FROM discarded
