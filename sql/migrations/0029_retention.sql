-- The ends of rows: what makes "which are due" a look-up, who may delete them, and when that was last done.

CREATE INDEX messages_ended ON messages (changed_at)
WHERE state IN ('sent', 'failed', 'expired', 'cancelled') AND NOT doubted;
-- A message's keys end with it.
CREATE INDEX message_keys_message ON message_keys (id) WHERE id IS NOT NULL;
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
CREATE INDEX dead_letters_ended ON dead_letters ((coalesce(greatest(replayed_at, discarded_at), recorded_at)))
WHERE NOT replay_due;

-- One row. It begins with the time of this migration, so that a job that never finishes is noticed too.
CREATE TABLE retention_run (
    finished_at timestamptz NOT NULL DEFAULT now(),
    only_one boolean NOT NULL DEFAULT true,
    CONSTRAINT retention_run_pkey PRIMARY KEY (only_one),
    CONSTRAINT retention_run_only_one CHECK (only_one)
);

INSERT INTO retention_run DEFAULT VALUES;

-- The service may not delete dead letters, but have this remove what is old (the audit: 0031).
CREATE FUNCTION remove_dead_letters(older_than interval, most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH removed AS (
        DELETE FROM dead_letters WHERE id = ANY (ARRAY(
            SELECT id FROM dead_letters
            WHERE NOT replay_due
                AND coalesce(greatest(replayed_at, discarded_at), recorded_at) < now() - greatest(older_than, interval '1 day')
            ORDER BY coalesce(greatest(replayed_at, discarded_at), recorded_at) LIMIT most
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING id
    )
    SELECT count(*) FROM removed
$$;

REVOKE ALL ON FUNCTION remove_dead_letters(interval, integer) FROM public;
GRANT EXECUTE ON FUNCTION remove_dead_letters(interval, integer) TO threadline_service;
GRANT DELETE ON messages, attempts, idempotency_keys, message_keys, gaps TO threadline_service;
GRANT SELECT, UPDATE (finished_at) ON retention_run TO threadline_service;
GRANT SELECT ON retention_run TO threadline_reader;
