-- The last batch of the audit.
SELECT batch, head, entries, total, upto, sealed_at FROM audit_heads ORDER BY batch DESC LIMIT 1
