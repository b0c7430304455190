"""How this process listens: what a connection may send, how long it may take, and who has to go where there are too many."""
