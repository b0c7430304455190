-- The columns of an entry of the audit `a`, in the form in which they are hashed.
    a.position, (extract(EPOCH FROM a.at) * 1000000)::bigint AS micros, a.actor, a.client_id, a.action, a.subject,
    a.detail::text AS detail, a.key_id::text AS key_id, a.address, a.request_id, a.why
