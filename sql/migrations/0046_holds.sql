-- The scope `customers:hold`: a legal hold is no longer set and ended by whoever may erase. Keys that exist, and people who are logged
-- in, go on to do what they did; the roles privacy-officer and administrator have the scope by the running version.

UPDATE api_keys SET scopes = array_append(scopes, 'customers:hold')
WHERE revoked_at IS NULL AND 'customers:erase' = ANY (scopes) AND NOT 'customers:hold' = ANY (scopes);

UPDATE sessions SET scopes = array_append(scopes, 'customers:hold')
WHERE 'customers:erase' = ANY (scopes) AND NOT 'customers:hold' = ANY (scopes);
