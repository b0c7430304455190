-- Sets the owner's role and the schema's search path for the rest of a migration, whatever role connected.
SELECT set_config('role', 'threadline_owner', true), set_config('search_path', 'threadline', true)
