-- Part of the statements about retention by channel: whether an interaction `i` stays whatever its age. One stays that a legal hold
-- keeps, or whose message is not ended; one that was joined to another goes with that.
i.superseded
OR EXISTS (
    SELECT FROM messages AS m
    WHERE m.id = ANY (ARRAY(SELECT l.reference FROM interaction_links AS l WHERE l.interaction_id = i.id) || i.id)
        AND m.client_id = i.client_id AND (m.doubted OR m.state NOT IN ('sent', 'failed', 'expired', 'cancelled'))
)
OR ((SELECT EXISTS (SELECT FROM customer_holds WHERE until > now())) AND EXISTS (
    SELECT FROM assignments AS t
    JOIN customer_holds AS d ON d.client_id = t.client_id AND d.until > now()
    WHERE t.handle_id = ANY (i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AND (
        t.id = ANY (d.assignments) OR t.customer_id =
\ir held_customer.sql
    )
))
