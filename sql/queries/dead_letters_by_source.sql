-- The number of dead letters since a time that were neither replayed nor discarded, by topic and source, most first.
SELECT topic, source, count(*) AS letters
FROM dead_letters
WHERE recorded_at >= %(since)s AND replayed_at IS NULL AND discarded_at IS NULL
GROUP BY topic, source
ORDER BY letters DESC, topic, source
LIMIT 20
