"""Helpers for the APIs of several providers: batches, idempotency keys, look-ups."""
