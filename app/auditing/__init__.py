"""The audit: what requests write to it, its anchors outside the database, and the check of its chain."""
