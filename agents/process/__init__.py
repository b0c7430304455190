"""The worker as a process: its parts, its pages, what it watches, and how it ends."""
