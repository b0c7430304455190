"""How webhooks are verified: the schemes that several providers share."""
