"""The scopes, which say what a caller may do, and the roles, which are sets of them. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

#: The scope without which addresses, names, texts and files are masked in every answer, or refused.
PERSONAL = "personal:read"

#: What each scope allows: a noun, and a verb on it.
SCOPES: dict[str, str] = {
    "timeline:read": "read customers, interactions and their streams",
    PERSONAL: "see addresses, names, texts, links and providers' words in clear wherever another scope reads them; without it they are masked",
    "customers:write": "merge, link, split and unlink customers, and undo that",
    "customers:erase": "erase customers, approve and refuse erasures, and read receipts",
    "customers:hold": "put customers under a legal hold, change it and end it",
    "customers:export": "export all that is kept of a customer, with personal:read too",
    "clients:read": "read the client's configuration, its versions and its accounts, without their secrets",
    "clients:write": "change the client's configuration and its accounts",
    "messages:read": "read the client's messages, and why one waits; whether their recipients opted out with recipients:read or personal:read",
    "messages:write": "send, cancel and release messages",
    "recipients:read": "read recipients' consents and profiles; with it or personal:read other scopes' answers tell who opted out",
    "recipients:write": "opt recipients out and in, and change their profiles",
    "callbacks:read": "read the state and the deliveries of the client's callback",
    "callbacks:write": "rotate the callback's secret, enable it, and replay deliveries",
    "dead-letters:read": "read the client's dead letters; their records and full reasons with timeline:read and personal:read too",
    "dead-letters:write": "replay and discard the client's dead letters",
    "dead-letters:all": "for operators, beside dead-letters:read or :write: those of all clients, and of none",
    "webhooks:write": "post envelopes to /webhooks/aggregate, as a trusted relay",
    "audit:read": "read the client's audit: who did what",
    "sessions:read": "see who of the client's people is logged in",
    "sessions:write": "end sessions of the client's people",
    "metrics:read": "read /metrics, where it needs a key",
}

#: The scopes with which a dead letter shows its record and its whole reason, beside dead-letters:read.
RECORDS = frozenset({"timeline:read", PERSONAL})

#: The scopes of which one shows whether somebody opted out, wherever another scope reads or changes what is his.
CONSENTS = frozenset({"recipients:read", PERSONAL})

#: The client of a credential that acts for all clients: each request names one in the header `Threadline-Client`.
ALL_CLIENTS = "*"


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of scopes, and who has it."""

    words: str
    scopes: frozenset[str]


def _role(words: str, *scopes: str) -> Role:
    return Role(words, frozenset(scopes))


#: The roles. A credential with a role has the scopes that the role has in the running version.
ROLES: dict[str, Role] = {
    "clerk": _role(
        "answers customers: reads timelines, sends messages, records opt-outs, merges and splits customers",
        "timeline:read",
        PERSONAL,
        "customers:write",
        "messages:read",
        "messages:write",
        "recipients:read",
        "recipients:write",
    ),
    "operator": _role(
        "keeps the service running, without access to what customers write, or to their addresses",
        "clients:read",
        "messages:read",
        "callbacks:read",
        "callbacks:write",
        "dead-letters:read",
        "dead-letters:write",
        "metrics:read",
    ),
    "developer": _role(
        "connects a service: sends messages, posts envelopes, reads configuration and callbacks; sees what is personal masked",
        "clients:read",
        "messages:read",
        "messages:write",
        "callbacks:read",
        "callbacks:write",
        "dead-letters:read",
        "webhooks:write",
    ),
    "privacy-officer": _role(
        "answers people who ask about their data: reads timelines and the audit, exports, erases and holds, changes consents, merges and splits customers",
        "timeline:read",
        PERSONAL,
        "audit:read",
        "customers:write",
        "customers:erase",
        "customers:hold",
        "customers:export",
        "messages:read",
        "recipients:read",
        "recipients:write",
    ),
    "administrator": _role("everything within a client", *(SCOPES.keys() - {"dead-letters:all"})),
}


def unknown_scopes(scopes: Iterable[str]) -> list[str]:
    """Return the scopes that do not exist."""
    return [scope for scope in scopes if scope not in SCOPES]


def granted(scopes: Iterable[str], roles: Iterable[str]) -> frozenset[str]:
    """Return all scopes of a credential with these scopes and roles. A role that does not exist (any more) grants nothing."""
    return frozenset(scopes).union(*(ROLES[role].scopes for role in roles if role in ROLES))
