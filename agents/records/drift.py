"""What providers say that no table knows: counted by source and word, and said once, so that a drifted payload raises an
alarm where its events would otherwise lie unnoticed as `ProviderEventReceived`."""

from collections import Counter

import structlog

log = structlog.get_logger(__name__)

#: Pairs of source and word that are told apart; what comes after counts under `OTHER`, as a word is the provider's to make up.
MOST = 200
OTHER = "(other)"
#: Characters of a word that are shown.
_LENGTH = 64


class Drift:
    """Of this process, since its start."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()

    def note(self, source: str, word: str | None) -> None:
        """An event of a source that became a `ProviderEventReceived`; `word` is what the provider calls it, if anything."""
        key = (source, (word or "")[:_LENGTH])
        if key not in self.seen:
            if len(self.seen) >= MOST:
                key = (source, OTHER)
            if key not in self.seen:
                log.warning("unknown provider event", source=source, word=key[1])
        self.seen[key] += 1

    def by_source(self) -> dict[str, dict[str, int]]:
        """Source to words to how often, the most frequent first."""
        found: dict[str, dict[str, int]] = {}
        for (source, word), count in self.seen.most_common():
            found.setdefault(source, {})[word] = count
        return found
