-- The statement that copies a database nobody is connected to; executed as psql's \gexec does.
SELECT format('CREATE DATABASE %%I TEMPLATE %%I OWNER threadline_owner', %(name)s::text, %(template)s::text);
