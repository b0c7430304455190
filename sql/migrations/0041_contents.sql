-- What clients do not want stored, and for how long they want the rest (`content` and `retention` of their configurations).

-- What is left of a request once its message has ended: until then it is needed as it came.
ALTER TABLE messages ADD COLUMN withheld jsonb;

COMMENT ON COLUMN messages.withheld IS 'The request as it is kept when the message has ended, sealed; NULL where all of it is kept.';

CREATE FUNCTION withhold_request() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    new.request := new.withheld;
    new.withheld := NULL;
    -- It may quote a provider; one that a query wrote is not sealed.
    new.cause := CASE WHEN NOT starts_with(new.cause, 'sealed:') THEN new.cause END;
    RETURN new;
END
$$;

-- Whoever ends a message. The condition costs nothing where nothing is withheld.
CREATE TRIGGER messages_withheld BEFORE INSERT OR UPDATE OF state ON messages FOR EACH ROW
WHEN (new.withheld IS NOT NULL AND new.state IN ('sent', 'failed', 'expired', 'cancelled'))
EXECUTE FUNCTION withhold_request();

REVOKE ALL ON FUNCTION withhold_request() FROM public;

-- How long interactions of a client's channel are kept; '' stands for those of which no channel is known. A channel without a row keeps
-- them for ever.
CREATE VIEW channel_retention WITH (security_invoker = true) AS
SELECT
    c.client_id, h.channel COLLATE "C" AS channel,
    make_interval(days => coalesce(c.days ->> h.channel, c.days ->> 'default')::numeric::integer) AS age
FROM (
    SELECT DISTINCT ON (client_id) client_id, document -> 'retention' AS days FROM clients ORDER BY client_id, version DESC
) AS c
CROSS JOIN unnest(ARRAY['', 'sms', 'email', 'push', 'voice', 'whatsapp', 'rcs', 'chat', 'iot']) AS h (channel)
WHERE coalesce(c.days ->> h.channel, c.days ->> 'default') IS NOT NULL;

CREATE INDEX interactions_channel ON interactions (client_id, coalesce(channel, ''), "timestamp");

-- Events that belong to no interaction, and say something. Few.
CREATE INDEX events_apart ON events (client_id, coalesce(channel, ''), recorded_at)
WHERE reference IS NULL AND type IN ('ProviderEventReceived', 'RecipientUnsubscribed', 'RecipientSubscribed')
    AND (payload - ARRAY['basis', 'list', 'unsubscribeGroup'] <> '{}' OR error ? 'text');

-- Empties events whose time has passed, by their places: beside the emptying of erased ones (0036) the only change that is ever made to
-- a row of the log. Type, channel, times, the handle and the normalized error stay, and the id, by which a repeat is known; without
-- a reference a rebuild makes no interaction of it. Of an opt-out or opt-in stays what consents are made of, which have no end.
CREATE FUNCTION empty_expired(xids bigint[], positions bigint[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH emptied AS (
        UPDATE events AS v SET
            source_event_id = 'expired ' || v.id, provider_message_id = NULL, message_id = NULL, reference = NULL,
            webhook_id = NULL, webhook_block = NULL, trace = NULL,
            payload = CASE
                WHEN starts_with(v.type, 'Recipient') THEN (
                    SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}')
                    FROM jsonb_each(v.payload) AS p WHERE p.key IN ('basis', 'list', 'unsubscribeGroup')
                )
                ELSE '{}'
            END,
            error = CASE WHEN v.error IS NOT NULL THEN jsonb_build_object('reason', v.error -> 'reason') END
        FROM unnest(xids, positions) AS given (xid, position)
        WHERE v.xid = given.xid AND v.position = given.position
            AND (
                v.reference IS NOT NULL
                OR v.type IN ('ProviderEventReceived', 'RecipientUnsubscribed', 'RecipientSubscribed')
            )
            AND EXISTS (SELECT FROM channel_retention AS r WHERE r.client_id = v.client_id)
            -- Nothing that still stands in a timeline.
            AND NOT EXISTS (SELECT FROM interactions AS i WHERE i.id = v.reference AND i.client_id = v.client_id)
        RETURNING v.id
    )
    SELECT count(*) FROM emptied
$$;

REVOKE ALL ON FUNCTION empty_expired(bigint[], bigint[]) FROM public;
GRANT EXECUTE ON FUNCTION empty_expired(bigint[], bigint[]) TO threadline_service;
GRANT SELECT ON channel_retention TO threadline_service, threadline_reader;
