"""Subscribes to MQTT brokers, posts publications to the door as webhooks, and acknowledges them once they are kept."""
