-- In whose hands an API key may be, so that a person with two keys is not taken for two (erasures that need a second person), and with
-- which credential an erasure was asked for, so that it is not done for somebody whose right was withdrawn since.

ALTER TABLE api_keys ADD COLUMN makers text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN api_keys.makers IS
'Who has seen the key: who made it, if with another key also who made that one, and after a rotation those of the key before. `unknown`, or none: that cannot be told (`sql.parties`).';

-- Of keys that exist the audit says who made them; a rotated one has the makers of those before it too.
WITH RECURSIVE lineage AS (
    SELECT id, id AS ancestor FROM api_keys
    UNION
    SELECT l.id, k.id FROM lineage AS l JOIN api_keys AS k ON k.replaced_by = l.ancestor
),
made AS (
    SELECT subject, actor FROM audit WHERE action = 'key.create' AND actor LIKE 'cli:%'
)
UPDATE api_keys AS k SET makers = found.makers
FROM (
    SELECT l.id, array_agg(DISTINCT coalesce(m.actor, 'unknown') ORDER BY coalesce(m.actor, 'unknown')) AS makers
    FROM lineage AS l LEFT JOIN made AS m ON m.subject = l.ancestor::text
    GROUP BY l.id
) AS found
WHERE k.id = found.id;

ALTER TABLE erasure_requests
    ADD COLUMN parties text[],
    ADD COLUMN credential uuid,
    ADD COLUMN decided_parties text[],
    -- An older process fills neither; then the check of before holds alone.
    ADD CONSTRAINT erasure_requests_hands CHECK (
        decision <> 'approved' OR parties IS NULL OR decided_parties IS NULL
        OR NOT (parties && decided_parties OR 'unknown' = ANY (parties || decided_parties))
    );

COMMENT ON COLUMN erasure_requests.parties IS 'In whose hands the credential may be with which it was asked for; NULL: as an older version asked.';
COMMENT ON COLUMN erasure_requests.credential IS 'The API key, or the session of the person, with which it was asked for.';

UPDATE erasure_requests AS r SET
    parties = ARRAY[r.party] || CASE
        WHEN NOT starts_with(r.party, 'key:') THEN '{}'
        WHEN k.makers IS NULL THEN '{unknown}'
        ELSE k.makers
    END,
    credential = a.key_id
FROM audit AS a LEFT JOIN api_keys AS k ON k.id = a.key_id
WHERE r.decision IS NULL AND a.action = 'erasure.ask' AND a.client_id = r.client_id AND a.detail ->> 'erasure' = r.id::text;

GRANT UPDATE (decided_parties) ON erasure_requests TO threadline_service, threadline_tenant;

-- Whether a person's right was withdrawn: how a session ended, and with which scopes he has logged in since.
CREATE INDEX audit_session_ends ON audit (subject) WHERE action = 'session.end';
CREATE INDEX audit_log_ins ON audit (actor, position) WHERE action IN ('session.start', 'session.refused');

GRANT SELECT (position, at, actor, action, subject, detail) ON audit TO threadline_http;
