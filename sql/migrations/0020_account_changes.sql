-- Which accounts changed, in an order that readers can follow: the door keeps a copy of all accounts, and asks for what is new.
-- An account that is gone stays here as a name.

CREATE TABLE account_changes (
    change bigint NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    CONSTRAINT account_changes_pkey PRIMARY KEY (client_id, name)
);

CREATE UNIQUE INDEX account_changes_order ON account_changes (change);

CREATE SEQUENCE account_changes_number OWNED BY account_changes.change;

CREATE FUNCTION note_account() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    account record := coalesce(new, old);
BEGIN
    -- Held until the commit, so that a higher number is never seen before a lower one.
    PERFORM pg_advisory_xact_lock(29796, 61);
    INSERT INTO threadline.account_changes AS c (change, client_id, name)
    VALUES (nextval('threadline.account_changes_number'), account.client_id, account.name)
    ON CONFLICT (client_id, name) DO UPDATE SET change = excluded.change;
    RETURN NULL;
END
$$;

CREATE TRIGGER accounts_changed AFTER INSERT OR UPDATE OR DELETE ON accounts
FOR EACH ROW EXECUTE FUNCTION note_account();

INSERT INTO account_changes (change, client_id, name)
SELECT nextval('account_changes_number'), client_id, name FROM accounts ORDER BY client_id, name;

REVOKE ALL ON FUNCTION note_account() FROM public;
GRANT SELECT, INSERT, UPDATE ON account_changes TO threadline_service;
GRANT USAGE ON SEQUENCE account_changes_number TO threadline_service;
GRANT SELECT ON account_changes TO threadline_reader;
