"""Holds what several providers' APIs have in common: batches, idempotency keys, look-ups."""
