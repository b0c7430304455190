"""Listens for connections with limits on size and time, and closes the least deserving when there are too many."""
