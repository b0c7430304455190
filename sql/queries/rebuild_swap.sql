-- Replaces the live tables by the rebuilt ones. Prepared statements find the new tables by their names.
DO $$
DECLARE
    name text;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true);
    EXECUTE 'CREATE OR REPLACE VIEW threadline.customers WITH (security_invoker = true) AS '
        || replace(pg_get_viewdef('threadline.customers'), 'threadline.assignments', 'threadline_rebuild.assignments');
    FOREACH name IN ARRAY ARRAY['interactions', 'interaction_links', 'assignments', 'handle_links', 'customer_changes', 'consents', 'consent_times'] LOOP
        EXECUTE format('DROP TABLE threadline.%I', name);
        EXECUTE format('ALTER TABLE threadline_rebuild.%I SET SCHEMA threadline', name);
    END LOOP;
    DELETE FROM threadline_rebuild.progress;
    DELETE FROM threadline_rebuild.left_to_link;
END
$$
