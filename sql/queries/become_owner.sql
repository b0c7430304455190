-- What follows belongs to the owner's role, whoever connected; names are the schema's.
SELECT set_config('role', 'threadline_owner', true), set_config('search_path', 'threadline', true)
