-- Returns the statement that copies a database without connections; it is executed as psql's \gexec does.
SELECT format('CREATE DATABASE %%I TEMPLATE %%I OWNER threadline_owner', %(name)s::text, %(template)s::text);
