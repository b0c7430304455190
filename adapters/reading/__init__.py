"""Holds what adapters share to read webhooks: bodies, mails, addresses, times, and the parts of an event."""
