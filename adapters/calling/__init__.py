"""What several providers' APIs have in common: batches, idempotency keys, look-ups."""
