-- Part of the statements that read consents: of the recipient with the handle `asked.handle_id`, the consent on each channel.
-- An opt-out at any handle of the customer counts, and at any handle that was stated to be one with this one even if that
-- link does not apply, until the recipient opts in again at the handle that is asked for: links that come apart lose no
-- opt-out.
SELECT
    o.channel, o.at AS opted_out_at, o.basis AS opted_out_basis, mine.opted_in_at, mine.opted_in_basis,
    o.at IS NOT NULL AND (mine.opted_in_at IS NULL OR o.at >= mine.opted_in_at) AS opted_out
FROM (
    SELECT
        c.channel, max(c.opted_out_at) AS at,
        (array_agg(c.opted_out_basis ORDER BY c.opted_out_at DESC NULLS LAST, c.opted_out_basis DESC))[1] AS basis
    FROM (
        SELECT asked.handle_id AS id
        UNION
        SELECT one.handle_id
        FROM assignments AS one
        WHERE one.customer_id = (
                SELECT own.customer_id FROM assignments AS own
                WHERE own.handle_id = asked.handle_id AND own.valid_to = 'infinity'
            )
            -- Not at a handle that somebody else has by now.
            AND one.valid_to = 'infinity'
        UNION
        SELECT l.other_id FROM handle_links AS l WHERE l.handle_id = asked.handle_id AND l.refused_by IS NULL
    ) AS person
    JOIN consents AS c ON c.handle_id = person.id
    WHERE c.opted_out_at IS NOT NULL OR c.handle_id = asked.handle_id
    GROUP BY c.channel
) AS o
LEFT JOIN consents AS mine ON mine.handle_id = asked.handle_id AND mine.channel = o.channel
