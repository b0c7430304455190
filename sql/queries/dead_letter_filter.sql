-- Part of the queries of dead letters: whether a dead letter `d` passes a filter; a parameter that is NULL passes all. The reason
-- is compared in its general form, so that a filter does not reveal what a reason quotes.
    d.recorded_at >= (SELECT coalesce(%(since)s::timestamptz, '-infinity'))
    AND d.recorded_at < (SELECT coalesce(%(until)s::timestamptz, 'infinity'))
    AND (%(topic)s::text IS NULL OR d.topic = %(topic)s)
    AND (%(source)s::text IS NULL OR d.source = %(source)s)
    AND (%(reason)s::text IS NULL OR strpos(lower(d.general), lower(general_reason(%(reason)s))) > 0)
    AND (%(handled)s::boolean IS NULL OR (d.replayed_at IS NOT NULL OR d.discarded_at IS NOT NULL) = %(handled)s)
    AND (NOT %(lost)s::boolean OR (d.replayed_at IS NOT NULL AND d.outcome IS NULL AND d.discarded_at IS NULL))
