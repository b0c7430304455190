-- What services choose for their requests, and what is kept of them: keys and fingerprints are stored as digests under a key of the
-- client, and the answers to requests are sealed, with the addresses that they are of, so that an erasure finds them.

DO $$
BEGIN
    IF EXISTS (SELECT FROM messages WHERE state NOT IN ('sent', 'failed', 'expired', 'cancelled') AND request ? 'reference') THEN
        RAISE EXCEPTION 'messages wait whose reference stands in clear, as an unreleased version wrote it: they cannot be carried over'
            USING HINT = 'Start the version of before once more, and let it send these messages, or cancel them.';
    END IF;
END
$$;

-- A reference is sealed from now on. Of messages that have ended it stands in their events, sealed.
UPDATE messages SET request = request - 'reference', withheld = withheld - 'reference'
WHERE request ? 'reference' OR withheld ? 'reference';

-- The database cannot make a digest under a client's key. Keys of before are forgotten: a repeat under one is a new request. A
-- message of before is the same whatever a repeat under its id says (`''`), so that none is sent twice or refused.
DELETE FROM idempotency_keys;
DELETE FROM message_keys;
UPDATE messages SET fingerprint = '' WHERE fingerprint <> '';

ALTER TABLE idempotency_keys
    ADD COLUMN handles uuid[] NOT NULL DEFAULT '{}',
    ALTER COLUMN fingerprint DROP NOT NULL,
    ALTER COLUMN answer DROP NOT NULL;

-- Only an erasure looks for them.
CREATE INDEX idempotency_keys_handles ON idempotency_keys USING gin (handles);

COMMENT ON COLUMN message_keys.key IS 'The digest of the key (HMAC-SHA-256 under a key of the client, 128 bits).';
COMMENT ON COLUMN idempotency_keys.key IS 'The digest of the key, as in message_keys.';
COMMENT ON COLUMN idempotency_keys.fingerprint IS 'The digest, under a key of the client, of the request''s fingerprint; NULL once it was emptied.';
COMMENT ON COLUMN idempotency_keys.answer IS 'The answer, sealed; NULL once it was emptied, as a customer was erased to whom one of its messages went.';
COMMENT ON COLUMN idempotency_keys.handles IS 'The addresses of its messages.';
COMMENT ON COLUMN messages.fingerprint IS 'The digest, under a key of the client, of the request''s fingerprint; empty: of before there were such.';

GRANT UPDATE (fingerprint, answer, handles) ON idempotency_keys TO threadline_service;

-- As in 0045, and the keys of these reasons are destroyed, so that they are gone from the files of the archive and from backups too.
-- The reasons of before are under a key that is not theirs alone.
CREATE OR REPLACE FUNCTION erase_causes(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH decided AS MATERIALIZED (
        SELECT t.event_id, encode(substr(decode(substr(t.cause, length('sealed:') + 1), 'base64'), 2, 16), 'hex')::uuid AS key_id
        FROM erasures AS e
        JOIN customer_changes AS t ON t.client_id = e.client_id AND t.cause IS NOT NULL
        CROSS JOIN LATERAL (
            SELECT array_agg(a.id) AS ids
            FROM assignments AS a
            WHERE a.handle_id = ANY (e.handles || e.kept) AND (a.handle_id = ANY (e.handles) OR a.customer_id = e.customer_id)
        ) AS his
        WHERE e.id = erasure AND (t.ones && his.ids OR t.others && his.ids)
    ),
    destroyed AS (
        UPDATE handles AS h SET erased_at = now(), digest = NULL, salt = NULL, sealed = NULL
        FROM decided AS d
        WHERE h.id = d.key_id AND h.kind = 'nobody' AND h.platform = 'decision' AND h.erased_at IS NULL
    ),
    forgotten AS (
        UPDATE customer_changes AS t SET cause = NULL FROM decided AS d WHERE t.event_id = d.event_id
    ),
    emptied AS (
        UPDATE events AS v SET payload = v.payload - 'cause'
        FROM decided AS d
        JOIN event_ids AS n ON n.id = d.event_id
        WHERE v.recorded_at = n.recorded_at AND v.xid = n.xid AND v.position = n.position
        RETURNING v.id
    )
    SELECT count(*) FROM emptied
$$;

COMMENT ON COLUMN handles.kind IS '`nobody`: no address, but the key of what events without a handle say, or of one decision''s reason (its platform is `decision`).';
