-- What each link of two handles rests on. A log of before has it in its events: `threadline rebuild` writes it here.

ALTER TABLE handle_links ADD COLUMN evidence text[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN handle_links.evidence IS 'The kinds of evidence that it was stated with: provider_states_both, client_api, same_handle.';
