"""Reads the words of providers' tables (kinds, statuses, consents) in whatever case they are written."""

from collections.abc import Collection

#: Longest word that is compared, in characters: a longer one is no word of a table.
_MOST = 100


def spelled(word: str | None, table: Collection[str]) -> str:
    """Return the table's spelling of a word that differs from it in the case of ASCII letters at most; any other word as it
    came, empty for None. So no opt-out is lost when a provider writes `Unsubscribe` one day."""
    if word is None or word in table or len(word) > _MOST or not word.isascii():
        return word or ""
    lowered = word.lower()
    return next((one for one in table if one.lower() == lowered), word)
