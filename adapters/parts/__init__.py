"""What adapters are made of: signatures, bodies, addresses, times, and what else several providers have in common."""
