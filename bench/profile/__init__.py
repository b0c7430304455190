"""Says where the processor time of a webhook goes: by part, by package and function, and by statement of the database."""
