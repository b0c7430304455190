"""What clients have configured: configurations, accounts at providers, callbacks."""
