"""Tells whether two credentials may be in one hand. Pure."""

from collections.abc import Iterable, Sequence

from sql.origin import Origin

#: What stands for who is not known, and so may be anybody.
UNKNOWN = "unknown"


def party_of(actor: str) -> str:
    """Return who an actor of the audit is, whichever credential was used: a person by a session and by a token of the same issuer, and an
    API key before and after its rotation, which keeps its name, so that keys of one name are one."""
    kind, _, name = actor.partition(":")
    return f"person:{name}" if kind == "token" else actor


def parties_of(origin: Origin) -> list[str]:
    """Return all in whose hands the credential may be with which somebody acts: who that is, and of an API key those who have seen it.
    A part of Threadline, and a key of which nobody knows who made it, may be anybody's."""
    kind = origin.actor.partition(":")[0]
    if kind == "key":
        return [origin.actor, *(origin.makers or (UNKNOWN,))]
    return [party_of(origin.actor) if kind in ("cli", "person", "token") else UNKNOWN]


def sameness(one: Sequence[str], other: Iterable[str]) -> str | None:
    """Return why who approves cannot count as another than who asked, in words for people; None for two whom nothing ties together."""
    others = list(other)
    if one[:1] == others[:1] and one[0] != UNKNOWN:
        return "You asked for this erasure, or a key of the same name did: somebody else has to approve it."
    if both := [each for each in one if each in others and each != UNKNOWN]:
        return f"Who asked and who approves may be one person: {both[0]} is, or has made the API key of, both."
    if UNKNOWN in one or UNKNOWN in others:
        whose = "who asked" if UNKNOWN in one else "who approves"
        return f"It is not known who made the API key of {whose}, so two persons cannot be told apart: make a new key."
    return None
