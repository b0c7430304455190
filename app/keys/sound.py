"""Recognises keys that are not random, such as those of examples, and passphrases."""

from itertools import pairwise

#: Fewest different bytes of a key. Of 32 random bytes fewer are different less than once in 10^12.
_DIFFERENT = 16


def weakness(key: bytes) -> str | None:
    """Return what is wrong with a key, or None if it looks random."""
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    if len(set(key)) < _DIFFERENT or len(steps) < _DIFFERENT // 2:
        return "is an example or a pattern, which anyone can try"
    if all(32 <= byte < 127 for byte in key):  # of random bytes less than once in 10^12
        return "consists of printable characters, so it is a passphrase and no random key"
    return None
