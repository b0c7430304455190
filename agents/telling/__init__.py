"""Tells others of the log: the relay to Kafka, and clients' callbacks."""
