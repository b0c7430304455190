-- Ids that providers and services gave are stored as digests under a key of their client, since they may hold an address or be made
-- of one. Those who may read them get them from the payload, where they are sealed.

DO $$
BEGIN
    IF EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM messages) THEN
        RAISE EXCEPTION 'this database has data of an unreleased version, in which ids of providers stood in clear: they cannot be carried over'
            USING HINT = 'Begin with an empty database. For threadline up: move the data folder (.threadline) away and start again.';
    END IF;
END
$$;

COMMENT ON COLUMN events.source_event_id IS 'Of our own events the id, of all others its digest (HMAC-SHA-256 under a key of the client, 128 bits).';
COMMENT ON COLUMN events.provider_message_id IS 'The digest of the provider''s id of the message; the id itself is sealed in the payload.';
COMMENT ON COLUMN interactions.provider_message_id IS 'The provider''s id of the message, sealed.';
COMMENT ON COLUMN messages.provider_message_id IS 'The provider''s id of the message, sealed.';
COMMENT ON COLUMN attempts.provider_message_id IS 'The provider''s id of the message, sealed.';
