-- The HTTP process compares the ledger of erasures with the database when it starts, for no client in particular: it may know
-- which erasures there are, and nothing else of them.

GRANT SELECT (id, state) ON erasures TO threadline_http;
CREATE POLICY every_id ON erasures FOR SELECT TO threadline_http USING (true);
