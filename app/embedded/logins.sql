-- The statements that make the logins of `threadline serve` and `threadline work`, each a member of the role with its rights,
-- which the migrations made; each row is executed, as psql's \gexec does.
SELECT format('CREATE ROLE %%I', r.name)
FROM (VALUES ('threadline_door'), ('threadline_worker')) AS r (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name)
UNION ALL
SELECT format('ALTER ROLE threadline_door LOGIN PASSWORD %%L', %(door)s::text)
UNION ALL
SELECT format('ALTER ROLE threadline_worker LOGIN PASSWORD %%L', %(worker)s::text)
UNION ALL
SELECT 'GRANT threadline_http TO threadline_door'
UNION ALL
SELECT 'GRANT threadline_service TO threadline_worker';
