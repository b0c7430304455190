-- Collects statistics of the rebuilt tables, for the planner and for `counts`, before they are swapped in.
ANALYZE threadline_rebuild.interactions, threadline_rebuild.interaction_links, threadline_rebuild.assignments,
    threadline_rebuild.consents, threadline_rebuild.consent_times
