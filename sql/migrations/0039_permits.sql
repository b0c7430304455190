-- The scope `personal:read`. Keys that exist, and people who are logged in, go on to see what they saw: the scope is given to each whose
-- scopes, or roles that do not have it, read personal data. Without it such data is masked.

UPDATE api_keys SET scopes = array_append(scopes, 'personal:read')
WHERE revoked_at IS NULL AND NOT 'personal:read' = ANY (scopes) AND (
    roles && ARRAY['operator', 'developer']
    OR scopes && ARRAY[
        'timeline:read', 'customers:write', 'customers:export', 'messages:read', 'recipients:read', 'recipients:write'
    ]
);

UPDATE sessions SET scopes = array_append(scopes, 'personal:read')
WHERE NOT 'personal:read' = ANY (scopes) AND scopes && ARRAY[
    'timeline:read', 'customers:write', 'customers:export', 'messages:read', 'recipients:read', 'recipients:write'
];
