-- Whose a dead letter is, what it looks like, and what was done about it.

-- A reason without what differs from record to record: quoted texts, addresses, ids and numbers. Groups of dead letters have it,
-- and so do callers who may not read personal data, which a reason may quote.
CREATE FUNCTION general_reason(reason text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(
    regexp_replace(
        regexp_replace(
            regexp_replace(
                reason, '(^|[[:space:](:=,\[])(''[^'']*''|"[^"]*"|`[^`]*`|''[^'']*…|"[^"]*…)', '\1…', 'g'
            ),
            '[^[:space:]]*@[^[:space:]]*', '…', 'g'
        ),
        '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '#', 'g'
    ),
    '\+?[0-9]+([.,:-][0-9]+)*', '#', 'g'
);

ALTER TABLE dead_letters
    ADD COLUMN client_id text COLLATE "C",
    ADD COLUMN shape text COLLATE "C",
    ADD COLUMN general text COLLATE "C" GENERATED ALWAYS AS (general_reason(reason)) STORED,
    ADD COLUMN replay_of uuid,
    ADD COLUMN replays integer NOT NULL DEFAULT 0,
    ADD COLUMN replay_due boolean NOT NULL DEFAULT false,
    ADD COLUMN replayed_by text,
    ADD COLUMN outcome text COLLATE "C",
    ADD COLUMN outcome_at timestamptz,
    ADD COLUMN outcome_events integer,
    ADD COLUMN became uuid,
    ADD COLUMN discarded_at timestamptz,
    ADD COLUMN discarded_by text,
    ADD COLUMN discard_reason text,
    ADD COLUMN record_removed boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT dead_letters_outcome CHECK (outcome IN ('events', 'duplicate', 'nothing', 'dead', 'refused'));

DROP INDEX dead_letters_recorded;
CREATE INDEX dead_letters_recorded ON dead_letters (recorded_at, id);
CREATE INDEX dead_letters_of_client ON dead_letters (client_id, recorded_at, id);
CREATE INDEX dead_letters_due ON dead_letters (replayed_at, id) WHERE replay_due;

COMMENT ON COLUMN dead_letters.client_id IS 'The client that the record names; NULL where it could not be read, which is for operators only.';
COMMENT ON COLUMN dead_letters.shape IS 'The form of the record''s body: its kind and the names of its members.';
COMMENT ON COLUMN dead_letters.replay_of IS 'The dead letter whose replay this record was.';
COMMENT ON COLUMN dead_letters.replays IS 'How often it was replayed; a replayed record says which of them it is.';
COMMENT ON COLUMN dead_letters.replay_due IS 'A worker is to put its record on its topic again.';
COMMENT ON COLUMN dead_letters.outcome IS 'What came of the last replay: events, duplicate, nothing, dead (again: see became), or refused by Kafka. NULL: not known yet.';
COMMENT ON COLUMN dead_letters.became IS 'The dead letter that the last replay became.';

REVOKE ALL ON FUNCTION general_reason(text) FROM public;
GRANT EXECUTE ON FUNCTION general_reason(text) TO threadline_service;
GRANT UPDATE (
    replays, replay_due, replayed_by, outcome, outcome_at, outcome_events, became, discarded_at, discarded_by, discard_reason,
    record_removed, value, detail, items, reason
) ON dead_letters TO threadline_service;
