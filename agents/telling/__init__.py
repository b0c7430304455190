"""Relays the log to Kafka, and notifies clients by their callbacks."""
