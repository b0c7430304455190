-- Whether a range of the log has events that link handles.
SELECT EXISTS (
\ir chunk.sql
    AND type = 'HandleLinked'
) AS relating
