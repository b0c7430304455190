-- All rows of a table, as text.
COPY (SELECT * FROM {table}) TO STDOUT
