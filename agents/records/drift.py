"""Counts provider events that their adapter neither maps nor lists (`Adapter.unmapped`), by source and by the provider's
word, and logs each pair once.

Such events become `ProviderEventReceived`. Without the counts a change in a provider's payloads would go unnoticed.
"""

from collections import Counter

import structlog

log = structlog.get_logger(__name__)

#: The most pairs of source and word that are counted separately, since providers can send any word; further ones count as
#: `OTHER`.
MOST = 200
OTHER = "(other)"
#: Characters of a word that are shown.
_LENGTH = 64


class Drift:
    """The counts of this process since its start."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()

    def note(self, source: str, word: str | None) -> None:
        """Count a `ProviderEventReceived` of a source. `word` is the provider's name for the event, or None."""
        key = (source, (word or "")[:_LENGTH])
        if key not in self.seen:
            if len(self.seen) >= MOST:
                key = (source, OTHER)
            if key not in self.seen:
                log.warning("unknown provider event", source=source, word=key[1])
        self.seen[key] += 1

    def by_source(self) -> dict[str, dict[str, int]]:
        """Return the counts as source, then word, then count, most frequent first."""
        found: dict[str, dict[str, int]] = {}
        for (source, word), count in self.seen.most_common():
            found.setdefault(source, {})[word] = count
        return found
