-- Locks out writers, after waiting for those under way, so that the statements after it see the whole log and all handles. In the
-- writers' order: handles, then events; then the erasures' interactions, of which none is removed meanwhile.
LOCK TABLE threadline.handles, threadline.events, threadline.erased_references IN SHARE MODE
