-- Creates missing lanes, and configures existing ones.
WITH
\ir laned.sql
SELECT 1 AS done
