-- Locks out writers, after waiting for those under way, so that the statements after it see the whole log and all handles. In the
-- writers' order: handles, then events.
LOCK TABLE threadline.handles, threadline.events IN SHARE MODE
