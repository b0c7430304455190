-- Whether rows came in a month or on a day that had no partition (counted up to a bound), by table.
SELECT
    (SELECT count(*) FROM (SELECT FROM events_default LIMIT 1000) AS rows) AS events,
    (SELECT count(*) FROM (SELECT FROM raw_webhooks_default LIMIT 1000) AS rows) AS raw_webhooks
