-- Returns the statement that copies a database without connections; it is executed as psql's \gexec does. Its files are copied,
-- not written once more as WAL: of a small database that takes half the time.
SELECT format('CREATE DATABASE %%I TEMPLATE %%I OWNER threadline_owner STRATEGY file_copy', %(name)s::text, %(template)s::text);
