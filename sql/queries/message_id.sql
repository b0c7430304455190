-- Part of `incoming` and `differing`: our message id of an event `r`. One that a provider repeats counts only for a message
-- that was sent to the event's recipient.
coalesce(r ->> 7, CASE WHEN r -> 16 <> 'null' THEN echoed_message(r ->> 13, r ->> 16, r ->> 8, r ->> 9) END)
