-- Part of `incoming` and `differing`: our message id of an event `r`. One that a provider repeats counts only for a message
-- that was sent to the event's recipient, and not at all if the event is of a job and names no recipient.
coalesce(
    r ->> 7,
    CASE WHEN r -> 16 <> 'null' AND NOT ((r ->> 17)::boolean AND r -> 9 = 'null')
        THEN echoed_message(r ->> 13, r ->> 16, r ->> 1, (%(handles)s::uuid[])[(r ->> 9)::integer], r ->> 8)
    END
)
