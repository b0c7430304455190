"""Holds the code that Meta's platforms share: `platform` for all three, `chat` for Messenger and Instagram."""
