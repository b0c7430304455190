-- The id that an event has in the log.
SELECT event_id(%(client_id)s, %(source)s, %(id)s) AS id
