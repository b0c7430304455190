"""Tells whether one person may hold two credentials. Pure."""

from collections.abc import Iterable, Sequence

from sql.origin import Origin

#: Stands for a person who is not known, and so may be anybody.
UNKNOWN = "unknown"


def party_of(actor: str) -> str:
    """Return who an actor of the audit is, whichever credential was used. A session and a token of the same issuer are one person. An API
    key is one party before and after its rotation, which keeps its name: so all keys of one name are one party."""
    kind, _, name = actor.partition(":")
    return f"person:{name}" if kind == "token" else actor


def parties_of(origin: Origin) -> list[str]:
    """Return everybody who may hold the credential with which somebody acts: that person, and for an API key those who have seen it.
    A part of Threadline, and a key whose maker is not known, may be anybody's."""
    kind = origin.actor.partition(":")[0]
    if kind == "key":
        return [origin.actor, *(origin.makers or (UNKNOWN,))]
    return [party_of(origin.actor) if kind in ("cli", "person", "token") else UNKNOWN]


def sameness(one: Sequence[str], other: Iterable[str]) -> str | None:
    """Return, in words for people, why the person who approves may be the person who asked; None if nothing ties the two together."""
    others = list(other)
    if one[:1] == others[:1] and one[0] != UNKNOWN:
        return "You asked for this erasure, or a key of the same name did: somebody else has to approve it."
    if both := [each for each in one if each in others and each != UNKNOWN]:
        return f"Who asked and who approves may be one person: {both[0]} is, or has made the API key of, both."
    if UNKNOWN in one or UNKNOWN in others:
        whose = "who asked" if UNKNOWN in one else "who approves"
        return f"It is not known who made the API key of {whose}, so two persons cannot be told apart: make a new key."
    return None
