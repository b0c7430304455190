-- Which events may still come: who appends says so before anything else in its transaction, by a lock that all share and that
-- ends with the transaction (`queries/writing.sql`). So only who appends can keep readers of the log waiting, not whoever holds
-- a transaction open in any database of the server (`queries/horizon.sql`). Who has written something else before, and not said
-- so, is refused: its events would be below what readers have passed already.
CREATE FUNCTION announce_writer() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF pg_current_xact_id_if_assigned() IS NULL THEN
        PERFORM pg_advisory_xact_lock_shared(29796, 12),
            set_config('threadline.writer', pg_current_xact_id()::text, true);
    ELSIF current_setting('threadline.writer', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'a transaction that appends events must begin with queries/writing.sql'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER events_announced BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION announce_writer();

-- Ids of whose parts may be any text. E'\x1f' stands between the parts, so one within a part is written otherwise: else two
-- different identities could make one id. Ids of parts that have neither character are as they were; rows whose parts have
-- them were made by a client that named itself so, and keep the id that they have.
CREATE FUNCTION id_part(part text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN replace(replace(part, E'\x1e', E'\x1e\x1e'), E'\x1f', E'\x1e\x1d');

-- The last part needs no care: nothing follows it. A client that is called as other kinds of ids begin gets a mark that no
-- escaped part can begin with.
CREATE OR REPLACE FUNCTION event_id(client_id text, source text, source_event_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(
    CASE WHEN client_id IN ('provider', 'message') THEN E'\x1e\x1c' ELSE '' END
    || id_part(client_id) || E'\x1f' || id_part(source) || E'\x1f' || source_event_id
)::uuid;

-- Of an event that was told again otherwise; `variant` is the digest of what it says.
CREATE FUNCTION event_variant(id uuid, variant text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(E'\x1e\x1cvariant' || E'\x1f' || id || E'\x1f' || variant)::uuid;

CREATE OR REPLACE FUNCTION provider_reference(client_id text, provider text, provider_message_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(
    'provider' || E'\x1f' || id_part(client_id) || E'\x1f' || id_part(provider) || E'\x1f' || provider_message_id
)::uuid;

CREATE OR REPLACE FUNCTION message_reference(client_id text, message_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('message' || E'\x1f' || id_part(client_id) || E'\x1f' || message_id)::uuid;

-- `handle` is kind, E'\x1f', value; no kind has that character.
CREATE OR REPLACE FUNCTION handle_id(client_id text, handle text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(id_part(client_id) || E'\x1f' || handle)::uuid;

CREATE OR REPLACE FUNCTION lane_id(client_id text, account text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('lane' || E'\x1f' || id_part(client_id) || E'\x1f' || account)::uuid;

-- Under one identity something else may be told later: another row, with an id of its own.
ALTER TABLE events ADD COLUMN identity uuid;

CREATE INDEX events_identity ON events (identity) WHERE identity IS NOT NULL;

COMMENT ON COLUMN events.identity IS 'The id of the first telling, where this one says more of the same event; NULL of all others.';

-- A message may be tried by several channels. Which of them failed, reached somebody, were put off by their provider, and
-- were given up for the next one, is a set of channels each: a bit a channel, so that joining two sets is `|`.
CREATE FUNCTION channel_bit(channel text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE channel
    WHEN 'sms' THEN 2 WHEN 'email' THEN 4 WHEN 'push' THEN 8 WHEN 'voice' THEN 16 WHEN 'whatsapp' THEN 32
    WHEN 'rcs' THEN 64 WHEN 'chat' THEN 128 WHEN 'iot' THEN 256 ELSE 1
END;

ALTER TABLE interactions
    ADD COLUMN failed_by integer NOT NULL DEFAULT 0,
    ADD COLUMN reached_by integer NOT NULL DEFAULT 0,
    ADD COLUMN deferred_by integer NOT NULL DEFAULT 0,
    ADD COLUMN given_up integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN interactions.failed_by IS 'The channels by which it failed for good; a sum of `channel_bit`s, as the next three.';
COMMENT ON COLUMN interactions.reached_by IS 'The channels by which it was delivered, read, opened or clicked.';
COMMENT ON COLUMN interactions.deferred_by IS 'The channels whose provider has taken it and put it off; our own tries before it was taken are not among them.';
COMMENT ON COLUMN interactions.given_up IS 'The channels after which the next one was tried: that they failed is not the message''s failure.';

-- What an attempt by a channel that was given up came to is not what became of the message. That it was put off by a
-- provider that had taken it counts for more than that it was sent; that we had to try again does not.
ALTER TABLE interactions
    ALTER COLUMN contradiction SET EXPRESSION AS (
        coalesce(delivered_at, read_at, opened_at, clicked_at) IS NOT NULL
        AND coalesce(failed_at, bounced_at, rejected_at) IS NOT NULL
        AND (given_up = 0 OR failed_by & reached_by <> 0)
    ),
    ALTER COLUMN delivery SET EXPRESSION AS (
        CASE
            WHEN coalesce(read_at, opened_at, clicked_at) IS NOT NULL THEN 'delivered'
            WHEN bounced_at IS NOT NULL AND (given_up = 0 OR failed_by & ~given_up <> 0) THEN 'bounced'
            WHEN coalesce(delivered_at, complained_at) IS NOT NULL THEN 'delivered'
            WHEN ended_at IS NOT NULL THEN 'completed'
            WHEN failed_at IS NOT NULL AND (given_up = 0 OR failed_by & ~given_up <> 0) THEN 'failed'
            WHEN rejected_at IS NOT NULL AND (given_up = 0 OR failed_by & ~given_up <> 0) THEN 'rejected'
            WHEN expired_at IS NOT NULL THEN 'expired'
            WHEN cancelled_at IS NOT NULL THEN 'cancelled'
            WHEN recorded_at IS NOT NULL THEN 'recorded'
            WHEN deferred_by & ~given_up <> 0 THEN 'delayed'
            WHEN sent_at IS NOT NULL THEN 'sent'
            WHEN delayed_at IS NOT NULL THEN 'delayed'
            WHEN queued_at IS NOT NULL THEN 'queued'
            WHEN held_at IS NOT NULL THEN 'held'
            WHEN started_at IS NOT NULL THEN 'started'
            WHEN requested_at IS NOT NULL THEN 'requested'
            WHEN received_at IS NOT NULL THEN 'received'
        END
    ),
    ALTER COLUMN status SET EXPRESSION AS (
        CASE
            WHEN coalesce(
                completed_at, delivered_at, cancelled_at, expired_at, read_at, opened_at, clicked_at, complained_at, ended_at
            ) IS NOT NULL THEN 'completed'
            WHEN coalesce(failed_at, bounced_at, rejected_at) IS NOT NULL
                AND (given_up = 0 OR failed_by & ~given_up <> 0) THEN 'completed'
            WHEN coalesce(
                processing_at, sent_at, queued_at, delayed_at, held_at, started_at, recorded_at, failed_at, bounced_at,
                rejected_at
            ) IS NOT NULL THEN 'processing'
            ELSE 'received'
        END
    );

-- The first event that ties a provider's id to a message is looked for by these.
CREATE INDEX events_tied ON events (reference, xid, position)
WHERE provider_message_id IS NOT NULL AND message_id IS NOT NULL;

-- A status may be recorded long before anyone knows which message it is of.
ALTER TABLE deliveries ADD COLUMN owed_at timestamptz;

COMMENT ON COLUMN deliveries.owed_at IS 'When the log first said which message it is of, where that was later than the event.';

REVOKE ALL ON FUNCTION announce_writer(), id_part(text), event_variant(uuid, text), channel_bit(text) FROM public;
GRANT EXECUTE ON FUNCTION id_part(text), event_variant(uuid, text), channel_bit(text) TO threadline_service;
GRANT EXECUTE ON FUNCTION id_part(text), event_variant(uuid, text), channel_bit(text) TO threadline_reader;
