"""The rules of sending: requests, clients' configurations, windows, consent, and the states of a message. Pure."""
