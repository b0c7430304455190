-- The statements that make the embedded server's roles and database; each row is executed, as psql's \gexec does.
SELECT format('CREATE ROLE %%I', r.name)
FROM (VALUES ('threadline_owner'), ('threadline_service')) AS r (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name)
UNION ALL
SELECT format('ALTER ROLE threadline_owner LOGIN CREATEROLE PASSWORD %%L', %(owner)s::text)
UNION ALL
SELECT format('ALTER ROLE threadline_service LOGIN PASSWORD %%L', %(service)s::text)
UNION ALL
SELECT format('CREATE DATABASE %%I OWNER threadline_owner', %(database)s::text)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = %(database)s::text);
