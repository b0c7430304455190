-- What clients want stored of contents: the member `content` of the current configuration, and those that its versions ever had.
-- Clients whose versions never had one are left out.
SELECT
    client_id, (array_agg(document -> 'content' ORDER BY version DESC))[1] AS content,
    jsonb_agg(DISTINCT document -> 'content') FILTER (WHERE document ? 'content') AS former
FROM clients
WHERE client_id = ANY (%(clients)s)
GROUP BY client_id
HAVING bool_or(document ? 'content')
