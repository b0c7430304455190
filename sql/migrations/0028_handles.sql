-- Handles with random ids. A handle is found by the keyed digest of its address, HMAC-SHA-256 under the client's pepper; without
-- that row nothing in the log can be tied to the address. The log and its projections name handles by their ids only.
-- A customer has an id of its own: merging or splitting customers never changes a handle.

DO $$
BEGIN
    IF EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM messages) OR EXISTS (SELECT FROM profiles) THEN
        RAISE EXCEPTION 'this database has events of an unreleased version, whose ids were made of addresses: they cannot be carried over'
            USING HINT = 'Begin with an empty database. For threadline up: move the data folder (.threadline) away and start again.';
    END IF;
END
$$;

DROP VIEW customers;
DROP TABLE handle_links, handles;

-- Each client's pepper, 32 random bytes, encrypted with the keys of the settings (`sql.sealing`).
CREATE TABLE peppers (
    made_at timestamptz NOT NULL DEFAULT now(),
    client_id text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT peppers_pkey PRIMARY KEY (client_id)
);

-- The one table beside the log that cannot be rebuilt from it.
CREATE TABLE handles (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    customer_id uuid NOT NULL DEFAULT gen_random_uuid(),
    client_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    platform text COLLATE "C",
    digest bytea NOT NULL,
    value text COLLATE "C" NOT NULL,
    CONSTRAINT handles_pkey PRIMARY KEY (id),
    CONSTRAINT handles_digest UNIQUE (client_id, digest)
);

CREATE UNIQUE INDEX handles_customer ON handles (customer_id);

COMMENT ON COLUMN handles.customer_id IS 'The customer that this handle is by itself.';
COMMENT ON COLUMN handles.digest IS 'HMAC-SHA-256 of kind, E''\x1f'', value under the client''s pepper.';
COMMENT ON COLUMN handles.platform IS 'Of a chat id: its platform; `slack direct` for a direct conversation.';

-- Whose each handle is.
CREATE TABLE assignments (
    handle_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT assignments_pkey PRIMARY KEY (handle_id)
);

CREATE INDEX assignments_customer ON assignments (customer_id);

CREATE VIEW customers AS
SELECT client_id, customer_id AS id, count(*) AS handles
FROM assignments
GROUP BY client_id, customer_id;

-- Each pair twice, so that a handle's neighbours are found by the key.
CREATE TABLE handle_links (
    handle_id uuid NOT NULL,
    other_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT handle_links_pkey PRIMARY KEY (handle_id, other_id)
);

COMMENT ON TABLE handle_links IS 'Pairs of handles that were stated to be one person''s, each in both directions.';

ALTER TABLE events DROP COLUMN handle_value, ADD COLUMN related_id uuid;

COMMENT ON COLUMN events.related_id IS 'Of HandleLinked: the other handle.';

DROP INDEX interactions_timeline;
ALTER TABLE interactions
    DROP COLUMN handle_id, DROP COLUMN user_id, DROP COLUMN address,
    ADD COLUMN user_handle_id uuid, ADD COLUMN address_handle_id uuid;
ALTER TABLE interactions
    ADD COLUMN handle_id uuid GENERATED ALWAYS AS (coalesce(user_handle_id, address_handle_id)) STORED;
CREATE INDEX interactions_timeline ON interactions (handle_id, "timestamp", id) WHERE handle_id IS NOT NULL;

COMMENT ON COLUMN interactions.user_handle_id IS 'The least handle of kind user_id; it owns the interaction before any address.';
COMMENT ON COLUMN interactions.address_handle_id IS 'The least other handle.';

COMMENT ON COLUMN messages.handles IS 'Where it goes: the channel (or user), the address that is dialled (kind, E''\x1f'', value), the handle''s id.';

-- As in 0023, by the handle's id.
DROP FUNCTION echoed_message(text, text, text, text, text);
CREATE FUNCTION echoed_message(client_id text, message_id text, channel text, handle uuid, handle_kind text)
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
            handle IS NULL
            OR EXISTS (SELECT FROM jsonb_array_elements(m.handles) AS h WHERE h ->> 2 = handle::text)
            OR NOT EXISTS (
                SELECT FROM jsonb_array_elements(m.handles) AS h WHERE starts_with(h ->> 1, handle_kind || E'\x1f')
            )
        );
END;

DROP FUNCTION handle_id(text, text);

-- As in 0024, by a handle's platform in place of its value.
CREATE OR REPLACE FUNCTION is_shared(handle uuid) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    crowd boolean;
    users uuid[];
BEGIN
    SELECT sum(g.partners) > 32 OR bool_or(g.partners > g.most), max(g.users)
    INTO crowd, users
    FROM (
        SELECT
            count(*) AS partners,
            CASE
                WHEN o.kind = 'user_id' AND h.kind IN ('device_token', 'device_id') THEN 1
                WHEN o.platform = 'slack direct' THEN NULL
                WHEN o.kind = 'chat_id' AND h.platform = 'slack direct' THEN 1
                WHEN o.kind IN ('user_id', 'whatsapp_user_id', 'chat_id') THEN 5
            END AS most,
            array_agg(o.id) FILTER (WHERE h.kind = 'phone' AND o.kind = 'whatsapp_user_id') AS users
        FROM (SELECT l.handle_id, l.other_id FROM handle_links AS l WHERE l.handle_id = handle LIMIT 33) AS n
        JOIN handles AS h ON h.id = n.handle_id
        JOIN handles AS o ON o.id = n.other_id
        GROUP BY o.kind, split_part(o.platform, ' ', 1), 2
    ) AS g;
    IF crowd OR cardinality(users) IS NULL OR cardinality(users) < 2 THEN
        RETURN coalesce(crowd, false);
    END IF;
    RETURN (
        SELECT count(*) FROM handle_links AS l
        WHERE l.handle_id = ANY (users) AND l.other_id = ANY (users) AND l.handle_id < l.other_id
    ) < cardinality(users) - 1;
END
$$;

-- Gives the customers of handles that got new links, and of all that were one with them: the least of the customers that the
-- handles of the component are by themselves, or each its own where the component is too large. As in 0024 otherwise.
CREATE OR REPLACE FUNCTION assign_customers(changed uuid[]) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    lone uuid[];
    partners uuid[];
    starts uuid[];
    start uuid;
    found uuid[];
    ids uuid[] := '{}';
    customers uuid[] := '{}';
    crowd uuid[] := '{}';
BEGIN
    -- A rebuild meets handles that were made after it began.
    INSERT INTO assignments (handle_id, customer_id, client_id)
    SELECT h.id, h.customer_id, h.client_id FROM handles AS h WHERE h.id = ANY (changed)
    ON CONFLICT (handle_id) DO NOTHING;
    -- Most new links are the first of both handles.
    SELECT array_agg(c.id), array_agg(n.others[1]) INTO lone, partners
    FROM unnest(changed) AS c (id)
    CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = c.id LIMIT 2) AS others OFFSET 0
    ) AS n
    WHERE cardinality(n.others) = 1
        AND cardinality(ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = n.others[1] LIMIT 2)) = 1;
    UPDATE assignments AS a SET customer_id = theirs.customer_id
    FROM unnest(lone, partners) AS pair (id, other)
    JOIN handles AS mine ON mine.id = pair.id
    JOIN handles AS theirs ON theirs.id = pair.other
    WHERE a.handle_id = pair.id AND theirs.customer_id < mine.customer_id;
    -- Where a handle has just become a shared one, those that were one through it may have come apart. It had at most 32
    -- neighbours before, beside those that are new.
    WITH rest AS MATERIALIZED (
        SELECT c.id FROM unnest(changed) AS c (id)
        EXCEPT
        SELECT f.id FROM unnest(lone) AS f (id)
    )
    SELECT array_agg(id ORDER BY id) INTO starts
    FROM (
        SELECT id FROM rest
        UNION
        SELECT n.other_id
        FROM rest AS c
        CROSS JOIN LATERAL (
            SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = c.id LIMIT 33 + cardinality(changed)
        ) AS n
        WHERE is_shared(c.id)
    ) AS each;
    IF starts IS NULL THEN
        RETURN;
    END IF;
    FOREACH start IN ARRAY starts LOOP
        CONTINUE WHEN start = ANY (ids) OR start = ANY (crowd);
        found := component(start);
        IF cardinality(found) > most_handles() THEN
            crowd := crowd || found;
        ELSE
            ids := ids || found;
            customers := customers || array_fill(
                (SELECT h.customer_id FROM handles AS h WHERE h.id = ANY (found) ORDER BY h.customer_id LIMIT 1),
                ARRAY[cardinality(found)]
            );
        END IF;
    END LOOP;
    UPDATE assignments AS a SET customer_id = new.customer_id
    FROM (
        SELECT o.id, coalesce(w.customer_id, h.customer_id) AS customer_id
        FROM (
            SELECT id FROM unnest(starts || ids) AS c (id)
            UNION
            SELECT m.handle_id FROM assignments AS m
            WHERE m.customer_id IN (SELECT s.customer_id FROM assignments AS s WHERE s.handle_id = ANY (starts))
        ) AS o
        JOIN handles AS h ON h.id = o.id
        LEFT JOIN unnest(ids, customers) AS w (id, customer_id) ON w.id = o.id
    ) AS new
    WHERE a.handle_id = new.id AND a.customer_id <> new.customer_id;
END
$$;

-- As in 0025.
CREATE OR REPLACE FUNCTION own_changes(changes jsonb, direction text, handle uuid) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT jsonb_object_agg(what, value)
    FROM (
        SELECT
            part.what,
            CASE WHEN part.what = 'text' THEN max(part.value COLLATE "C") ELSE min(part.value COLLATE "C") END AS value
        FROM (
            SELECT
                split_part(c.key, ' ', 1) AS what, split_part(split_part(c.key, ' ', 2), ':', 1) AS way,
                nullif(split_part(split_part(c.key, ' ', 2), ':', 2), '')::uuid AS writer, c.value
            FROM jsonb_each_text(own_changes.changes) AS c
        ) AS part
        WHERE (part.way = '' OR part.way = coalesce(own_changes.direction, part.way))
            AND (
                part.writer IS NULL OR part.writer = own_changes.handle
                OR EXISTS (
                    SELECT FROM threadline.assignments AS theirs
                    JOIN threadline.assignments AS mine ON mine.customer_id = theirs.customer_id
                    WHERE theirs.handle_id = part.writer AND mine.handle_id = own_changes.handle
                )
            )
        GROUP BY part.what
    ) AS own
$$;

REVOKE ALL ON FUNCTION echoed_message(text, text, text, uuid, text) FROM public;
GRANT EXECUTE ON FUNCTION echoed_message(text, text, text, uuid, text) TO threadline_service;
GRANT SELECT, INSERT, UPDATE (sealed) ON peppers TO threadline_service;
GRANT SELECT, INSERT, UPDATE (kind) ON handles TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON assignments TO threadline_service;
GRANT SELECT, INSERT ON handle_links TO threadline_service;
GRANT SELECT ON customers TO threadline_service;
GRANT SELECT ON handles, assignments, handle_links, customers TO threadline_reader;
