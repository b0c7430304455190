"""Makes UUIDs of version 7 (RFC 9562 section 5.7). They sort by time, so an index on them grows at one end."""

import os
import time

#: Random bytes are fetched from the kernel for this many ids at once, since a system call for each would dominate the cost.
_AHEAD = 512
#: Maps a random digit to one whose first two bits are those of the variant.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_pool = ""
_at = 0
_millisecond, _prefix = 0, ""


def uuid7() -> str:
    """Return a new id, e.g. `019a1f2e-7b3c-7d4e-9f00-112233445566`: 48 bits of milliseconds, 74 random bits."""
    global _pool, _at, _millisecond, _prefix
    if _at == len(_pool):
        _pool, _at = os.urandom(10 * _AHEAD).hex(), 0
    at = _at
    _at = at + 20
    now = time.time_ns() // 1_000_000
    if now != _millisecond:
        text = f"{now:012x}"
        _millisecond, _prefix = now, f"{text[:8]}-{text[8:]}-7"
    variant = _VARIANT[_pool[at + 3]]
    return f"{_prefix}{_pool[at : at + 3]}-{variant}{_pool[at + 4 : at + 7]}-{_pool[at + 7 : at + 19]}"


def _forget() -> None:
    """Drop the buffered random bytes, so that a forked process does not make the same ids as its parent."""
    global _pool, _at
    _pool, _at = "", 0


os.register_at_fork(after_in_child=_forget)
