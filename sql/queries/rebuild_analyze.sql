-- Tells the planner, and `counts`, of the tables beside before they are the live ones.
ANALYZE threadline_rebuild.interactions, threadline_rebuild.interaction_links, threadline_rebuild.handles,
    threadline_rebuild.consents
