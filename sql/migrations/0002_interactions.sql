-- The read model: one row per message or call, a join of facts. Each fact is the first time it was seen; delivery, status
-- and contradiction follow from the facts alone, so no order of arrival can matter.

CREATE TABLE interactions (
    requested_at timestamptz,
    held_at timestamptz,
    queued_at timestamptz,
    sent_at timestamptz,
    delayed_at timestamptz,
    delivered_at timestamptz,
    failed_at timestamptz,
    bounced_at timestamptz,
    rejected_at timestamptz,
    cancelled_at timestamptz,
    expired_at timestamptz,
    read_at timestamptz,
    opened_at timestamptz,
    clicked_at timestamptz,
    complained_at timestamptz,
    unsubscribed_at timestamptz,
    subscribed_at timestamptz,
    received_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    recorded_at timestamptz,
    processing_at timestamptz,
    completed_at timestamptz,
    "timestamp" timestamptz,
    id uuid NOT NULL,
    handle_id uuid GENERATED ALWAYS AS (
        handle_id(client_id, coalesce('user_id' || E'\x1f' || user_id, address))
    ) STORED,
    superseded boolean NOT NULL DEFAULT false,
    contradiction boolean GENERATED ALWAYS AS (
        coalesce(delivered_at, read_at, opened_at, clicked_at) IS NOT NULL
        AND coalesce(failed_at, bounced_at, rejected_at) IS NOT NULL
    ) STORED,
    client_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C",
    direction text COLLATE "C",
    provider text COLLATE "C",
    provider_message_id text COLLATE "C",
    message_id text COLLATE "C",
    user_id text COLLATE "C",
    address text COLLATE "C",
    delivery text COLLATE "C" GENERATED ALWAYS AS (
        CASE
            WHEN coalesce(read_at, opened_at, clicked_at) IS NOT NULL THEN 'delivered'
            WHEN bounced_at IS NOT NULL THEN 'bounced'
            WHEN coalesce(delivered_at, complained_at) IS NOT NULL THEN 'delivered'
            WHEN ended_at IS NOT NULL THEN 'completed'
            WHEN failed_at IS NOT NULL THEN 'failed'
            WHEN rejected_at IS NOT NULL THEN 'rejected'
            WHEN expired_at IS NOT NULL THEN 'expired'
            WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN recorded_at IS NOT NULL THEN 'recorded'
            WHEN delayed_at IS NOT NULL THEN 'delayed'
            WHEN sent_at IS NOT NULL THEN 'sent'
            WHEN queued_at IS NOT NULL THEN 'queued'
            WHEN held_at IS NOT NULL THEN 'held'
            WHEN started_at IS NOT NULL THEN 'started'
            WHEN requested_at IS NOT NULL THEN 'requested'
            WHEN received_at IS NOT NULL THEN 'received'
        END
    ) STORED,
    status text COLLATE "C" GENERATED ALWAYS AS (
        CASE
            WHEN coalesce(
                completed_at, delivered_at, failed_at, bounced_at, rejected_at, cancelled_at, expired_at,
                read_at, opened_at, clicked_at, complained_at, ended_at
            ) IS NOT NULL THEN 'completed'
            WHEN coalesce(
                processing_at, sent_at, queued_at, delayed_at, held_at, started_at, recorded_at
            ) IS NOT NULL THEN 'processing'
            ELSE 'received'
        END
    ) STORED,
    failure jsonb,
    setback jsonb,
    content jsonb,
    last_change bigint[],
    -- The client belongs to the key: a service that names an interaction which is not its own marks nobody else's.
    CONSTRAINT interactions_pkey PRIMARY KEY (id, client_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX interactions_timeline ON interactions (handle_id, "timestamp", id) WHERE handle_id IS NOT NULL;

COMMENT ON COLUMN interactions.ended_at IS 'A call was completed; completed_at is a service''s word that it dealt with it.';
COMMENT ON COLUMN interactions.recorded_at IS 'A call''s recording is there.';
COMMENT ON COLUMN interactions.user_id IS 'The least handle of kind user_id; it owns the interaction before any address.';
COMMENT ON COLUMN interactions.address IS 'The least other handle: kind, E''\x1f'', value.';
COMMENT ON COLUMN interactions.failure IS 'The error of a final failure; setback: of a passing one.';
COMMENT ON COLUMN interactions.superseded IS 'Its facts moved to the interaction that interaction_links names; the row stays as a bar.';
COMMENT ON COLUMN interactions.last_change IS 'The place in the log (xid, position) of the last event folded in.';

-- References that are one message: every member of a linked component, itself included, with the component's least
-- message reference, which is the interaction's id.
CREATE TABLE interaction_links (
    reference uuid NOT NULL,
    interaction_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT interaction_links_pkey PRIMARY KEY (reference)
);

CREATE INDEX interaction_links_interaction ON interaction_links (interaction_id);

-- Joins two contents key by key; where both know a key, the value whose text is least.
CREATE FUNCTION content_join(a jsonb, b jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN a::text = b::text THEN a ELSE (
    SELECT coalesce(jsonb_object_agg(key, value), '{}')
    FROM (
        SELECT key, min(value::text COLLATE "C")::jsonb AS value
        FROM (SELECT * FROM jsonb_each(a) UNION ALL SELECT * FROM jsonb_each(b)) AS both_sides
        WHERE value <> 'null'
        GROUP BY key
    ) AS joined
) END;

CREATE AGGREGATE content_join(jsonb) (sfunc = content_join, stype = jsonb, parallel = safe);

-- Raised where an interaction was joined to another between our look and our write; the transaction is to be repeated.
CREATE FUNCTION superseded_meanwhile() RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION 'an interaction was joined to another meanwhile' USING ERRCODE = 'serialization_failure';
END
$$;
