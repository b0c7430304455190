"""Customers for the API and the command line: what is shown of them, and the handles that callers name."""
