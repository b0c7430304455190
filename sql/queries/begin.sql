-- Writes attempts down before they are made. Gives those that may be made: whose message is still this worker's.
INSERT INTO attempts (id, number, channel, account)
SELECT m.id, m.claims, r ->> 2, r ->> 3
FROM jsonb_array_elements(%(attempts)s) AS given (r)
JOIN messages AS m ON m.id = (r ->> 0)::uuid
WHERE m.claims = (r ->> 1)::integer AND m.state = 'sending' AND m.due_at > now() AND NOT m.cancelled
ORDER BY m.id
-- Written already where the answer to an earlier try of this statement was lost.
ON CONFLICT (id, number) DO UPDATE SET begun_at = attempts.begun_at
RETURNING id
