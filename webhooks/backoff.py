"""Exponential backoff: how long to wait before the next try. Callers add their own jitter."""

#: 2 to this power is more than any longest wait; larger powers would overflow.
_MOST_DOUBLINGS = 60


def exponential(first: float, longest: float, failures: int) -> float:
    """Return the seconds to wait after `failures` further failures: `first` after none, doubled by each, at most `longest`
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)."""
    return min(longest, first * 2.0 ** min(failures, _MOST_DOUBLINGS))
