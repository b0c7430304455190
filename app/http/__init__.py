"""The HTTP process: its server, its health and metrics, who may call it, and how it refuses."""
