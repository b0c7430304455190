-- Whether a range of the log has events that link handles or decide on customers.
SELECT EXISTS (
\ir chunk.sql
    AND type IN ('HandleLinked', 'HandleUnlinked', 'CustomersMerged', 'CustomersSplit', 'CustomerChangeUndone')
) AS relating
