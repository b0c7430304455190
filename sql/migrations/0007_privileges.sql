-- Who may do what. The log is append only for the service; the reader reads all but keys and what was never sorted out.

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA threadline FROM public;
REVOKE ALL ON SCHEMA threadline FROM public;

GRANT USAGE ON SCHEMA threadline TO threadline_service, threadline_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA threadline TO threadline_service;

GRANT SELECT, INSERT ON events TO threadline_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON interactions TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON interaction_links, handles TO threadline_service;
GRANT SELECT, INSERT ON raw_webhooks, raw_webhooks_default, dead_letters TO threadline_service;
GRANT SELECT, INSERT, UPDATE (revoked_at) ON api_keys TO threadline_service;
GRANT SELECT ON customers, raw_partitions, migrations TO threadline_service;
GRANT USAGE ON SEQUENCE events_position_seq, raw_webhooks_block_seq TO threadline_service;

GRANT SELECT ON events, interactions, interaction_links, handles, customers, migrations TO threadline_reader;
GRANT EXECUTE ON FUNCTION
    event_id(text, text, text), provider_reference(text, text, text), message_reference(text, text), handle_id(text, text)
TO threadline_reader;
