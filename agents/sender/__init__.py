"""The sender: claims messages that are due, decides, calls providers, and records the outcomes."""
