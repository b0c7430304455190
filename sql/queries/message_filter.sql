-- Part of the queries of messages: whether a message `m` passes a filter; a parameter that is NULL passes all.
    AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
    AND (%(account)s::text IS NULL OR m.account = %(account)s)
    AND m.accepted_at >= coalesce(%(since)s::timestamptz, '-infinity')
    AND m.accepted_at < coalesce(%(until)s::timestamptz, 'infinity')
