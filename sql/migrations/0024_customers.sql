-- Which handles are one person's. The log's `HandleLinked` events state pairs; a customer is a component of the pairs that
-- apply, and has the least id of its handles, so that no order of events matters. Two kinds of pairs are kept and do not
-- apply: those of a handle that several people share, and those of a component that is too large for one person.

-- Each pair twice, so that a handle's neighbours are found by the key.
CREATE TABLE handle_links (
    handle_id uuid NOT NULL,
    other_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT handle_links_pkey PRIMARY KEY (handle_id, other_id)
);

COMMENT ON TABLE handle_links IS 'Pairs of handles that were stated to be one person''s, each in both directions.';

-- Most handles of one customer.
CREATE FUNCTION most_handles() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 64;

-- Whether several people share a handle. It is linked with more than 32 others; or with more than 5 of one kind of which a
-- person has one: user ids, WhatsApp user ids, chat ids of one platform. Or it passes from one person to the next: a device
-- with more than one user id, a direct conversation in Slack with more than one user, a phone number with WhatsApp user ids
-- that were not stated to be one user's (fewer links among them than would join them). These functions are in PL/pgSQL, which
-- finds tables by the session's search path: a rebuild has its own tables.
CREATE FUNCTION is_shared(handle uuid) RETURNS boolean
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
                WHEN o.kind = 'chat_id' AND o.value LIKE 'slack:%/D%' THEN NULL
                WHEN o.kind = 'chat_id' AND h.kind = 'chat_id' AND h.value LIKE 'slack:%/D%' THEN 1
                WHEN o.kind IN ('user_id', 'whatsapp_user_id', 'chat_id') THEN 5
            END AS most,
            array_agg(o.id) FILTER (WHERE h.kind = 'phone' AND o.kind = 'whatsapp_user_id') AS users
        FROM (SELECT l.handle_id, l.other_id FROM handle_links AS l WHERE l.handle_id = handle LIMIT 33) AS n
        JOIN handles AS h ON h.id = n.handle_id
        JOIN handles AS o ON o.id = n.other_id
        GROUP BY o.kind, CASE WHEN o.kind = 'chat_id' THEN split_part(o.value, ':', 1) END, 2
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

-- The handles that are one with a given one, itself included: at most one more than a customer may have.
CREATE FUNCTION component(start uuid) RETURNS uuid[]
LANGUAGE plpgsql STABLE
AS $$
DECLARE
    found uuid[] := ARRAY[start];
    next uuid[] := ARRAY[start];
BEGIN
    IF is_shared(start) THEN
        RETURN found;
    END IF;
    LOOP
        SELECT array_agg(id) INTO next
        FROM (
            SELECT DISTINCT l.other_id AS id
            FROM unnest(next) AS f (id)
            JOIN handle_links AS l ON l.handle_id = f.id
            WHERE l.other_id <> ALL (found) AND NOT is_shared(l.other_id)
            LIMIT most_handles() + 1 - cardinality(found)
        ) AS further;
        EXIT WHEN next IS NULL;
        found := found || next;
        EXIT WHEN cardinality(found) > most_handles();
    END LOOP;
    RETURN found;
END
$$;

-- Gives the customers of handles that got new links, and of all that were one with them: the least id of the component, or
-- each its own id where the component is too large.
CREATE FUNCTION assign_customers(changed uuid[]) RETURNS void
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
    -- Most new links are the first of both handles.
    SELECT array_agg(c.id), array_agg(n.others[1]) INTO lone, partners
    FROM unnest(changed) AS c (id)
    CROSS JOIN LATERAL (
        SELECT ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = c.id LIMIT 2) AS others OFFSET 0
    ) AS n
    WHERE cardinality(n.others) = 1
        AND cardinality(ARRAY(SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = n.others[1] LIMIT 2)) = 1;
    UPDATE handles AS h SET customer_id = pair.other
    FROM unnest(lone, partners) AS pair (id, other)
    WHERE h.id = pair.id AND pair.other < pair.id;
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
            customers := customers || array_fill((SELECT f.id FROM unnest(found) AS f (id) ORDER BY f.id LIMIT 1), ARRAY[cardinality(found)]);
        END IF;
    END LOOP;
    UPDATE handles AS h SET customer_id = coalesce(new.customer_id, h.id)
    FROM (
        SELECT o.id, a.customer_id
        FROM (
            SELECT id FROM unnest(starts || ids) AS c (id)
            UNION
            SELECT m.id FROM handles AS m
            WHERE m.customer_id IN (SELECT s.customer_id FROM handles AS s WHERE s.id = ANY (starts))
        ) AS o
        LEFT JOIN unnest(ids, customers) AS a (id, customer_id) ON a.id = o.id
    ) AS new
    WHERE h.id = new.id AND h.customer_id <> coalesce(new.customer_id, h.id);
END
$$;

REVOKE ALL ON FUNCTION most_handles(), is_shared(uuid), component(uuid), assign_customers(uuid[]) FROM public;
GRANT EXECUTE ON FUNCTION most_handles(), is_shared(uuid), component(uuid), assign_customers(uuid[]) TO threadline_service;
GRANT EXECUTE ON FUNCTION most_handles(), is_shared(uuid), component(uuid) TO threadline_reader;
GRANT SELECT, INSERT ON handle_links TO threadline_service;
GRANT SELECT ON handle_links TO threadline_reader;
