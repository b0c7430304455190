-- The trace of a message and of an event, as W3C Trace Context writes it (`traceparent`); NULL where it was not sampled, which
-- takes no space. So the call of the provider, the relay and the callback go on in the trace of what caused them, and the
-- trace of a provider's webhook names that of its message.

ALTER TABLE messages ADD COLUMN trace text COLLATE "C";
ALTER TABLE events ADD COLUMN trace text COLLATE "C";

COMMENT ON COLUMN messages.trace IS 'The traceparent of the request, if that was traced.';
COMMENT ON COLUMN events.trace IS 'The traceparent of what appended it, if that was traced.';
