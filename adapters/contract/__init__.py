"""The contract of an adapter: what a provider's package is given, and what it gives back."""
