"""From a Kafka record to its outcome: events, dead letters, or both."""
