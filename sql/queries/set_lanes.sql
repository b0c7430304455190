-- Makes the lanes that are missing, and configures those that are there.
WITH
\ir laned.sql
SELECT 1 AS done
