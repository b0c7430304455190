-- A page of a customer's interactions, newest first: the newest of each handle while it was the customer's, merged.
SELECT page.*, a.customer_id
FROM assignments AS a
CROSS JOIN LATERAL (
    SELECT
\ir shown.sql
    FROM interactions AS i
\ir address.sql
    WHERE i.handle_id = a.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
        AND (i."timestamp", i.id) < (
            (SELECT coalesce(%(before_timestamp)s::timestamptz, 'infinity')),
            (SELECT coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
        )
        AND i."timestamp" >= (SELECT coalesce(%(since)s::timestamptz, '-infinity'))
        AND i."timestamp" < (SELECT coalesce(%(until)s::timestamptz, 'infinity'))
        AND (%(channel)s::text IS NULL OR i.channel = %(channel)s::text)
        AND (%(direction)s::text IS NULL OR i.direction = %(direction)s::text)
        AND (%(status)s::text IS NULL OR i.status = %(status)s::text)
        AND (%(delivery)s::text IS NULL OR i.delivery = %(delivery)s::text)
    ORDER BY i."timestamp" DESC, i.id DESC
    LIMIT %(limit)s
) AS page
WHERE a.customer_id =
\ir customer_id.sql
    AND a.client_id = %(client_id)s
ORDER BY page."timestamp" DESC, page.id DESC
LIMIT %(limit)s
