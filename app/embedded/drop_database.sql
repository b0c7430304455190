-- The statement that drops a database, with whatever is still connected to it; executed as psql's \gexec does.
SELECT format('DROP DATABASE IF EXISTS %%I WITH (FORCE)', %(name)s::text);
