-- Part of `differing` and `history`: the digest of the content of an event `e`, without the time of its receipt.
md5(jsonb_build_array(
    e.type, e.channel, e.direction, e.provider, e.provider_message_id, e.message_id, e.handle_id, e.error,
    e.occurred_at, e.payload
)::text)
