-- Messages of a job with several recipients, and our own ids that providers repeat in their webhooks.

-- Returns what ties an event to one recipient's message of a provider's job. No other id begins as this one does (see
-- `event_id` in 0016).
CREATE FUNCTION recipient_reference(client_id text, provider text, provider_message_id text, handle uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(
    E'\x1e\x1crecipient' || E'\x1f' || id_part(client_id) || E'\x1f' || id_part(provider) || E'\x1f' || id_part(provider_message_id)
    || E'\x1f' || handle::text
)::uuid;

-- Returns `message_id`, which a provider's webhook repeats, if the client has that message and sent it by this channel to this
-- recipient; else NULL. Of an event without a recipient, or with an address of another kind than the message's (a push token,
-- a business-scoped user id), the channel alone must agree.
CREATE FUNCTION echoed_message(client_id text, message_id text, channel text, handle_kind text, handle_value text)
RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT echoed_message.message_id
    FROM messages AS m
    WHERE m.id = message_reference(echoed_message.client_id, echoed_message.message_id)
        AND (
            echoed_message.channel IS NULL OR echoed_message.channel = m.channel
            OR echoed_message.channel = ANY (m.tried)
        )
        AND (
            handle_kind IS NULL
            OR EXISTS (
                SELECT FROM jsonb_array_elements(m.handles) AS h
                WHERE coalesce(h ->> 2, h ->> 1) = handle_kind || E'\x1f' || handle_value
            )
            OR NOT EXISTS (
                SELECT FROM jsonb_array_elements(m.handles) AS h
                WHERE starts_with(coalesce(h ->> 2, h ->> 1), handle_kind || E'\x1f')
            )
        );
END;
