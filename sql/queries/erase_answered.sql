-- Notes the answers of providers to what they were asked.
UPDATE provider_erasures AS r SET
    state = g.state, answer = g.answer, tries = r.tries + 1, due_at = now() + make_interval(secs => g.pause)
FROM unnest(%(sources)s::text[], %(targets)s::text[], %(states)s::text[], %(answers)s::text[], %(pauses)s::double precision[])
    AS g (source, target, state, answer, pause)
WHERE r.erasure_id = %(id)s AND r.source = g.source AND r.target = g.target AND r.state = 'due'
