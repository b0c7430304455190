"""UUIDs of version 7 (RFC 9562 section 5.7): in order of time, so that an index on them is written at one end."""

import os
import time

#: Random bytes are fetched from the kernel for this many ids at once: a system call each costs more than the rest.
_AHEAD = 512
_pool = b""
_at = 0


def uuid7() -> str:
    """A new id, e.g. `019a1f2e-7b3c-7d4e-9f00-112233445566`: 48 bits of milliseconds, 74 random bits."""
    global _pool, _at
    if _at == len(_pool):
        _pool, _at = os.urandom(10 * _AHEAD), 0
    rest = _pool[_at : _at + 10].hex()
    _at += 10
    time_hex = f"{time.time_ns() // 1_000_000:012x}"
    variant = "89ab"[int(rest[3], 16) & 3]
    return f"{time_hex[:8]}-{time_hex[8:]}-7{rest[:3]}-{variant}{rest[4:7]}-{rest[7:19]}"


def _forget() -> None:
    """Drop what is left of the random bytes: a forked process must not mint its parent's ids."""
    global _pool, _at
    _pool, _at = b"", 0


os.register_at_fork(after_in_child=_forget)
