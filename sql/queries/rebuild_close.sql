-- Locks out writers, after waiting for those under way, so that the statements after it see the whole log.
LOCK TABLE threadline.events IN SHARE MODE
