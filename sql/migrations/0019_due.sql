-- Where there is something to do, so that who looks for it pays for what is due, not for all lanes and clients that there are.
-- A row is a hint: it says that a lane (or a client's deliveries) is to be looked at, at `due_at` or before. For each message
-- that waits there is a hint that is due no later than it, as triggers add one with whatever makes a message wait, in its
-- transaction. Hints are only ever added and removed, never changed: who looks removes those that it sees, and adds the
-- one that follows from the messages that it sees at the same moment, so that one that comes meanwhile brings its own and
-- cannot be passed over. Too many hints cost a look each; too few would leave messages lying.

CREATE TABLE lanes_due (
    due_at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    lane uuid NOT NULL,
    state text COLLATE "C" NOT NULL,
    CONSTRAINT lanes_due_pkey PRIMARY KEY (lane, id),
    CONSTRAINT lanes_due_state CHECK (state IN ('ready', 'resting', 'later'))
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX lanes_due_next ON lanes_due (state, due_at);

COMMENT ON COLUMN lanes_due.state IS
'ready: it has a message that is due, and due_at is its turn; resting: so too, but its account may not be used before due_at; later: none is due before due_at.';

CREATE FUNCTION note_due_messages() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO threadline.lanes_due (lane, state, due_at)
    SELECT lane, CASE WHEN min(due_at) <= now() THEN 'ready' ELSE 'later' END, greatest(min(due_at), now())
    FROM changed WHERE waiting GROUP BY lane;
    RETURN NULL;
END
$$;

CREATE TRIGGER messages_added AFTER INSERT ON messages
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_due_messages();
CREATE TRIGGER messages_changed AFTER UPDATE ON messages
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_due_messages();

-- A lane that rested may go on before the time that its hint says.
CREATE FUNCTION note_lane() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO threadline.lanes_due (lane, state, due_at) VALUES (new.id, 'ready', now());
    RETURN NULL;
END
$$;

CREATE TRIGGER lanes_added AFTER INSERT ON lanes FOR EACH ROW EXECUTE FUNCTION note_lane();
CREATE TRIGGER lanes_eased AFTER UPDATE ON lanes FOR EACH ROW
WHEN (
    new.failures < old.failures
    OR (old.probing_until IS NOT NULL AND new.probing_until IS NULL)
    OR (old.open_until IS NOT NULL AND (new.open_until IS NULL OR new.open_until < old.open_until))
    OR (new.rate, new.burst, new.concurrency) IS DISTINCT FROM (old.rate, old.burst, old.concurrency)
)
EXECUTE FUNCTION note_lane();

-- Clients for whom deliveries wait. A disabled callback has no hints, as it is told nothing.
CREATE TABLE clients_due (
    due_at timestamptz NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT clients_due_pkey PRIMARY KEY (client_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX clients_due_next ON clients_due (due_at);

CREATE FUNCTION note_due_deliveries() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO threadline.clients_due (client_id, due_at)
    SELECT client_id, min(due_at) FROM changed WHERE state = 'waiting' GROUP BY client_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER deliveries_added AFTER INSERT ON deliveries
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_due_deliveries();
CREATE TRIGGER deliveries_changed AFTER UPDATE ON deliveries
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION note_due_deliveries();

CREATE FUNCTION note_callback() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO threadline.clients_due (client_id, due_at) VALUES (new.client_id, now());
    RETURN NULL;
END
$$;

CREATE TRIGGER callbacks_added AFTER INSERT ON callbacks FOR EACH ROW EXECUTE FUNCTION note_callback();
CREATE TRIGGER callbacks_enabled AFTER UPDATE ON callbacks FOR EACH ROW
WHEN (old.disabled_at IS NOT NULL AND new.disabled_at IS NULL)
EXECUTE FUNCTION note_callback();

-- How fast a callback is told, and how it recovers.
ALTER TABLE callbacks
    ADD COLUMN recovered_at timestamptz,
    ADD COLUMN concurrency integer NOT NULL DEFAULT 8,
    ADD COLUMN failures integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN callbacks.concurrency IS 'Deliveries that one worker makes at once, at the most.';
COMMENT ON COLUMN callbacks.failures IS 'Tries in a row that failed, counted up to where that is an outage.';
COMMENT ON COLUMN callbacks.recovered_at IS 'When the last outage ended. What was tried before is tried again soon.';

ALTER TABLE deliveries ADD COLUMN taken boolean NOT NULL DEFAULT false;

COMMENT ON COLUMN deliveries.taken IS 'A worker has it, or died with it: due_at is when that counts as dead.';

-- Of a callback that recovered, what waits for its next try.
CREATE INDEX deliveries_tried ON deliveries (client_id, attempted_at)
WHERE state = 'waiting' AND NOT taken AND attempted_at IS NOT NULL;

-- What waits already.
INSERT INTO lanes_due (lane, state, due_at)
SELECT lane, CASE WHEN min(due_at) <= now() THEN 'ready' ELSE 'later' END, greatest(min(due_at), now())
FROM messages WHERE waiting GROUP BY lane;

INSERT INTO clients_due (client_id, due_at)
SELECT client_id, min(due_at) FROM deliveries WHERE state = 'waiting' GROUP BY client_id;

REVOKE ALL ON FUNCTION note_due_messages(), note_lane(), note_due_deliveries(), note_callback() FROM public;
GRANT SELECT, INSERT, UPDATE, DELETE ON lanes_due, clients_due TO threadline_service;
GRANT SELECT ON lanes_due, clients_due TO threadline_reader;
