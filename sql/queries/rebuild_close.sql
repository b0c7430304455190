-- Waits for the appends under way, and lets no other begin: what follows sees the whole log.
LOCK TABLE threadline.events IN SHARE MODE
