-- Makes this transaction act for some clients: what follows in it sees and changes their rows only (0038). Never for longer than
-- the transaction, since a pooler gives the session to others after it.
SELECT set_config('threadline.clients', %(clients)s::text, true), set_config('role', 'threadline_tenant', true)
