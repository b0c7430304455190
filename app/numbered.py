"""Counts in words: `1 batch`, `2 batches`, `1,204 events`."""


def numbered(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its noun, in the singular for 1 alone; `many` is by default `one` with an s. A verb may follow in both:
    `numbered(1, "batch is", "batches are")`."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
