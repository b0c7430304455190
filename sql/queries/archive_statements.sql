-- The statements for a month's partition, which have no parameters: to copy rows after a place from it, in the order of the log,
-- as CSV with times in UTC, all values quoted and NULL not; to count it; to detach and drop it; to make it again, copy rows into
-- it (columns as they stand in the file), and attach it.
SELECT
    format(
        'COPY (SELECT %%s FROM threadline.%%I WHERE (xid, position) > (%%s, %%s) ORDER BY xid, position LIMIT %%s) '
        'TO STDOUT (FORMAT csv, FORCE_QUOTE *)',
        (
            SELECT string_agg(
                CASE c.atttypid WHEN 'timestamptz'::regtype
                    THEN format('to_char(%%I AT TIME ZONE ''UTC'', ''YYYY-MM-DD HH24:MI:SS.US'')', c.attname)
                    ELSE format('%%I', c.attname)
                END, ', ' ORDER BY c.attnum
            )
            FROM pg_attribute AS c
            WHERE c.attrelid = 'events'::regclass AND c.attnum > 0 AND NOT c.attisdropped
        ),
        p.name, %(after_xid)s::bigint, %(after_position)s::bigint, %(limit)s::bigint
    ) AS copy_out,
    format('SELECT count(*) AS events FROM threadline.%%I', p.name) AS count,
    format('ALTER TABLE threadline.events DETACH PARTITION threadline.%%I', p.name) AS detach,
    format('DROP TABLE threadline.%%I', p.name) AS drop,
    format('CREATE TABLE threadline.%%I (LIKE threadline.events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', p.name) AS make,
    format(
        'COPY threadline.%%I (%%s) FROM STDIN (FORMAT csv)',
        p.name, (SELECT string_agg(quote_ident(name), ', ' ORDER BY place) FROM unnest(%(columns)s::text[]) WITH ORDINALITY AS given (name, place))
    ) AS copy_in,
    format(
        'ALTER TABLE threadline.events ATTACH PARTITION threadline.%%I FOR VALUES FROM (%%L) TO (%%L)',
        p.name, %(month)s::timestamp AT TIME ZONE 'UTC', (%(month)s::date + interval '1 month') AT TIME ZONE 'UTC'
    ) AS attach
FROM (SELECT 'events_' || to_char(%(month)s::date, 'YYYYMM') AS name) AS p
