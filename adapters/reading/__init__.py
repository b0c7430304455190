"""What adapters read webhooks with: bodies, mails, addresses, times, and the pieces of an event."""
