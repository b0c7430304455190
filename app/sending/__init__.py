"""What sending decides, without I/O; and what a client configured for it."""
