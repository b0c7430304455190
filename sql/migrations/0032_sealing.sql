-- Personal data is sealed under a key of each handle, which is derived from its client's root key and the handle's salt. A handle
-- whose salt, digest and value are gone is erased: what was sealed under it can never be read again, and its address is a new one.

DO $$
BEGIN
    IF EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM messages) OR EXISTS (SELECT FROM handles) THEN
        RAISE EXCEPTION 'this database has data of an unreleased version, in which personal data was not encrypted: they cannot be carried over'
            USING HINT = 'Begin with an empty database. For threadline up: move the data folder (.threadline) away and start again.';
    END IF;
END
$$;

-- Nothing was named with them.
DELETE FROM peppers;
ALTER TABLE peppers ADD COLUMN root bytea NOT NULL;

COMMENT ON COLUMN peppers.sealed IS 'The pepper, 32 random bytes, encrypted with the keys of the settings.';
COMMENT ON COLUMN peppers.root IS 'The root key of the client''s handles, 32 random bytes, encrypted with the keys of the settings.';

ALTER TABLE handles
    DROP COLUMN value,
    ALTER COLUMN id DROP DEFAULT,
    ALTER COLUMN digest DROP NOT NULL,
    ADD COLUMN salt bytea,
    ADD COLUMN sealed bytea,
    ADD COLUMN erased_at timestamptz,
    ADD CONSTRAINT handles_erased CHECK (
        CASE WHEN erased_at IS NULL
            THEN num_nonnulls(digest, salt, sealed) = 3 AND octet_length(salt) = 32
            ELSE num_nonnulls(digest, salt, sealed) = 0
        END
    );

COMMENT ON COLUMN handles.kind IS '`nobody`: no address, but the key of what events without a handle say; its value is a month.';
COMMENT ON COLUMN handles.salt IS '32 random bytes; with the client''s root key they make the key of this handle''s personal data.';
COMMENT ON COLUMN handles.sealed IS 'Its value, under its own key.';

-- Raised where a writer sealed under a handle that was erased or removed meanwhile; the transaction is to be repeated with a new
-- look at its handles. Of class 40, which callers repeat; the state is our own, so that it is known from the others.
CREATE FUNCTION handle_erased() RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION 'a handle was erased meanwhile' USING ERRCODE = '40E01';
END
$$;

REVOKE ALL ON FUNCTION handle_erased() FROM public;
GRANT EXECUTE ON FUNCTION handle_erased() TO threadline_service;
GRANT UPDATE (root) ON peppers TO threadline_service;
