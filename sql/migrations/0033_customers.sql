-- Customers as decisions over time. A handle is assigned to a customer for an interval: a number that was given to another person
-- is another customer's from then on. What persons and services decide (merge, split, another holder from a time on, undo) are
-- events; `customer_changes` is their projection. The customers are a function of the links and the changes alone, whatever their
-- order of arrival (`sql.deciding`), so that a rebuild gives the same.

DROP VIEW customers;

ALTER TABLE assignments
    ADD COLUMN id uuid, ADD COLUMN own_id uuid, ADD COLUMN by_event uuid,
    ADD COLUMN valid_from timestamptz NOT NULL DEFAULT '-infinity', ADD COLUMN valid_to timestamptz NOT NULL DEFAULT 'infinity';
UPDATE assignments AS a SET id = a.handle_id, own_id = h.customer_id FROM handles AS h WHERE h.id = a.handle_id;
ALTER TABLE assignments
    DROP CONSTRAINT assignments_pkey, ALTER COLUMN id SET NOT NULL, ALTER COLUMN own_id SET NOT NULL,
    ADD CONSTRAINT assignments_pkey PRIMARY KEY (id);
CREATE INDEX assignments_handle ON assignments (handle_id);

COMMENT ON COLUMN assignments.id IS 'The handle''s id for its first holder; a random id for each later one.';
COMMENT ON COLUMN assignments.own_id IS 'The customer that this assignment is by itself.';
COMMENT ON COLUMN assignments.by_event IS 'The decision that moved it last, if one did.';
COMMENT ON COLUMN assignments.valid_to IS 'Exclusive. An interaction belongs to the assignment in whose interval its timestamp is.';

CREATE VIEW customers AS
SELECT client_id, customer_id AS id, count(*) AS handles
FROM assignments
GROUP BY client_id, customer_id;

ALTER TABLE handle_links ADD COLUMN since timestamptz NOT NULL DEFAULT '-infinity', ADD COLUMN refused_by uuid;
CREATE INDEX handle_links_refused ON handle_links (client_id, handle_id) WHERE refused_by IS NOT NULL;

COMMENT ON COLUMN handle_links.since IS 'When it was first stated. It joins the holders of that time.';
COMMENT ON COLUMN handle_links.refused_by IS 'The split that it contradicts: a conflict for a person to decide.';

CREATE TABLE customer_changes (
    event_id uuid NOT NULL,
    position bigint NOT NULL,
    at timestamptz NOT NULL,
    undone_by uuid,
    one_id uuid,
    other_id uuid,
    handle_id uuid,
    valid_from timestamptz,
    client_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    cause text,
    evidence jsonb,
    ones uuid[] NOT NULL,
    others uuid[] NOT NULL,
    overrides uuid[] NOT NULL,
    CONSTRAINT customer_changes_pkey PRIMARY KEY (event_id)
);

CREATE INDEX customer_changes_ones ON customer_changes USING gin (ones);
CREATE INDEX customer_changes_others ON customer_changes USING gin (others);
CREATE INDEX customer_changes_one ON customer_changes (one_id);
CREATE INDEX customer_changes_other ON customer_changes (other_id);
CREATE INDEX customer_changes_handle ON customer_changes (handle_id) WHERE handle_id IS NOT NULL;

COMMENT ON TABLE customer_changes IS 'Decisions on customers: merge (ones joined to the first of others), split (ones kept apart from others), cut (a handle''s next holder).';
COMMENT ON COLUMN customer_changes.ones IS 'The assignments that moved.';
COMMENT ON COLUMN customer_changes.others IS 'The assignments that stayed; the first one stands for their customer.';
COMMENT ON COLUMN customer_changes.one_id IS 'The customer id of those that moved: after a split or cut a new one, before a merge their last one.';
COMMENT ON COLUMN customer_changes.other_id IS 'The customer id of those that stayed.';
COMMENT ON COLUMN customer_changes.overrides IS 'The splits that a merge sets aside.';

-- A customer's present id: another one if it was merged since. Every id that was ever given out leads to
-- a customer. `client` NULL: of whichever client it is.
CREATE FUNCTION present_customer(client text, customer uuid) RETURNS uuid
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(
        (SELECT a.customer_id FROM assignments AS a WHERE a.customer_id = customer AND (client IS NULL OR a.client_id = client) LIMIT 1),
        (
            SELECT a.customer_id
            FROM (
                SELECT t.ones[1] AS node, t.handle_id, t.valid_from, t.undone_by, t.position
                FROM customer_changes AS t WHERE t.one_id = customer AND t.kind <> 'merge'
                UNION ALL
                SELECT t.others[1], NULL, NULL, t.undone_by, t.position
                FROM customer_changes AS t WHERE t.other_id = customer
            ) AS named
            JOIN assignments AS a ON a.id = named.node OR (
                -- Of a cut that was undone: who has the handle at that time now.
                a.handle_id = named.handle_id AND a.valid_from <= named.valid_from AND named.valid_from < a.valid_to
            )
            WHERE client IS NULL OR a.client_id = client
            ORDER BY named.undone_by IS NULL DESC, named.position DESC
            LIMIT 1
        ),
        (
            SELECT a.customer_id FROM handles AS h JOIN assignments AS a ON a.id = h.id
            WHERE h.customer_id = customer AND (client IS NULL OR h.client_id = client)
        ),
        customer
    )
$$;

-- As in 0028, of one holder of a handle.
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
        FROM (
            SELECT l.handle_id, l.other_id
            FROM assignments AS a
            JOIN handle_links AS l ON l.handle_id = a.handle_id AND l.since >= a.valid_from AND l.since < a.valid_to
            WHERE a.id = handle
            LIMIT 33
        ) AS n
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

CREATE OR REPLACE FUNCTION most_handles() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 1000;

-- The assignments that are one with a given one by links or changes, whatever splits keep apart, itself included: at most one more than
-- a customer may have.
CREATE OR REPLACE FUNCTION component(start uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found uuid[] := ARRAY[start];
    next uuid[] := ARRAY[start];
BEGIN
    LOOP
        SELECT array_agg(id) INTO next
        FROM (
            SELECT DISTINCT further.id
            FROM (
                SELECT o.id
                FROM unnest(next) AS f (id)
                JOIN assignments AS a ON a.id = f.id
                JOIN handle_links AS l ON l.handle_id = a.handle_id AND l.since >= a.valid_from AND l.since < a.valid_to
                JOIN assignments AS o ON o.handle_id = l.other_id AND l.since >= o.valid_from AND l.since < o.valid_to
                WHERE o.id <> ALL (found) AND NOT is_shared(a.id) AND NOT is_shared(o.id)
                UNION ALL
                SELECT o.id
                FROM unnest(next) AS f (id)
                JOIN customer_changes AS t ON t.ones @> ARRAY[f.id] OR t.others @> ARRAY[f.id]
                CROSS JOIN LATERAL unnest(
                    CASE
                        WHEN t.kind = 'split' AND t.ones @> ARRAY[f.id] THEN t.ones
                        WHEN t.kind = 'split' OR f.id = t.others[1] AND t.kind = 'merge' THEN
                            CASE t.kind WHEN 'split' THEN t.others ELSE t.ones END
                        WHEN t.kind = 'merge' AND t.ones @> ARRAY[f.id] THEN t.others[1:1]
                    END
                ) AS joined (id)
                JOIN assignments AS o ON o.id = joined.id
                WHERE t.undone_by IS NULL AND o.id <> ALL (found)
            ) AS further
            LIMIT most_handles() + 1 - cardinality(found)
        ) AS limited;
        EXIT WHEN next IS NULL;
        found := found || next;
        EXIT WHEN cardinality(found) > most_handles();
    END LOOP;
    RETURN found;
END
$$;

-- Gives the customers of assignments that got new links or are in new decisions, and of all that were one with them: the least of
-- the customers that those of the component are by themselves, or each its own where the component is too large. Components in
-- which anything was ever decided are left as they are and returned, for `sql.deciding`; `most`: the assignments of the largest.
DROP FUNCTION assign_customers(uuid[]);
CREATE FUNCTION assign_customers(changed uuid[], OUT decided uuid[], OUT most integer)
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
    decided := '{}';
    most := 2;
    -- A rebuild meets handles that were made after it began.
    INSERT INTO assignments (id, handle_id, own_id, customer_id, client_id)
    SELECT h.id, h.id, h.customer_id, h.customer_id, h.client_id FROM handles AS h WHERE h.id = ANY (changed)
    ON CONFLICT (id) DO NOTHING;
    -- Most new links are the first of both handles.
    SELECT array_agg(c.id), array_agg(n.others[1]) INTO lone, partners
    FROM unnest(changed) AS c (id)
    CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = c.id LIMIT 2) AS others OFFSET 0
    ) AS n
    WHERE cardinality(n.others) = 1
        AND cardinality(ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = n.others[1] LIMIT 2)) = 1
        AND NOT EXISTS (
            SELECT FROM customer_changes AS t WHERE t.ones && (n.others || c.id) OR t.others && (n.others || c.id)
        );
    UPDATE assignments AS a SET customer_id = theirs.customer_id
    FROM unnest(lone, partners) AS pair (id, other)
    JOIN handles AS mine ON mine.id = pair.id
    JOIN handles AS theirs ON theirs.id = pair.other
    WHERE a.id = pair.id AND theirs.customer_id < mine.customer_id;
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
        SELECT n.id
        FROM rest AS c
        CROSS JOIN LATERAL (
            SELECT o.id
            FROM assignments AS a
            JOIN handle_links AS l ON l.handle_id = a.handle_id AND l.since >= a.valid_from AND l.since < a.valid_to
            JOIN assignments AS o ON o.handle_id = l.other_id AND l.since >= o.valid_from AND l.since < o.valid_to
            WHERE a.id = c.id
            LIMIT 33 + cardinality(changed)
        ) AS n
        WHERE is_shared(c.id)
    ) AS each;
    IF starts IS NULL THEN
        RETURN;
    END IF;
    FOREACH start IN ARRAY starts LOOP
        CONTINUE WHEN start = ANY (ids) OR start = ANY (crowd) OR start = ANY (decided);
        found := component(start);
        most := greatest(most, cardinality(found));
        IF EXISTS (SELECT FROM customer_changes AS t WHERE t.ones && found OR t.others && found) THEN
            decided := decided || found;
        ELSIF cardinality(found) > most_handles() THEN
            crowd := crowd || found;
        ELSE
            ids := ids || found;
            customers := customers || array_fill(
                (SELECT a.own_id FROM assignments AS a WHERE a.id = ANY (found) ORDER BY a.own_id LIMIT 1),
                ARRAY[cardinality(found)]
            );
        END IF;
    END LOOP;
    UPDATE assignments AS a SET customer_id = new.customer_id, by_event = NULL
    FROM (
        SELECT o.id, coalesce(w.customer_id, m.own_id) AS customer_id
        FROM (
            SELECT id FROM unnest(starts || ids) AS c (id)
            UNION
            SELECT m.id FROM assignments AS m
            WHERE m.customer_id IN (SELECT s.customer_id FROM assignments AS s WHERE s.id = ANY (starts))
        ) AS o
        JOIN assignments AS m ON m.id = o.id
        LEFT JOIN unnest(ids, customers) AS w (id, customer_id) ON w.id = o.id
        WHERE o.id <> ALL (decided)
    ) AS new
    WHERE a.id = new.id AND a.customer_id <> new.customer_id;
END
$$;

REVOKE ALL ON FUNCTION present_customer(text, uuid), assign_customers(uuid[]) FROM public;
GRANT EXECUTE ON FUNCTION present_customer(text, uuid) TO threadline_service, threadline_reader;
GRANT EXECUTE ON FUNCTION assign_customers(uuid[]) TO threadline_service;
GRANT DELETE ON assignments TO threadline_service;
GRANT UPDATE ON handle_links TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON customer_changes TO threadline_service;
GRANT SELECT ON customers TO threadline_service;
GRANT SELECT ON customers, customer_changes TO threadline_reader;
