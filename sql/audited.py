"""The actions that the audit knows, and an entry of the audit."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

#: Every action, and what its entry's `subject` is. A test compares them with the statements and with the API.
ACTIONS: dict[str, str] = {
    # Reads of personal data
    "customer.read": "a customer's id: the customer was looked up by a handle, or looked at, as before a decision",
    "customer.conflicts": "empty: links that contradict a split were listed",
    "timeline.read": "a customer's id: a page of the timeline",
    "timeline.stream": "a customer's id: a stream of the timeline was opened",
    "interaction.read": "an interaction's id",
    "attachment.read": "an interaction's id",
    "message.read": "a message's id, or nothing for a list of them",
    "dead_letter.read": "a dead letter's id, or empty for a list: read with what its record says",
    "recipient.read": "the kind of the handle; the handle itself is not noted",
    "entries.read": "empty: the audit was listed or exported",
    "customer.export": "a customer's id: all that is kept of him was exported",
    # Changes
    "customer.erase": "a customer's id: his erasure was requested",
    "erasure.ask": "a customer's id: his erasure was asked for, and waits for a second person",
    "erasure.approve": "a customer's id: a second person approved his erasure",
    "erasure.refuse": "a customer's id: his erasure was refused",
    "customer.erased": "a customer's id: his erasure is complete",
    "customer.hold": "a customer's id: he is under a legal hold",
    "customer.unhold": "a customer's id: his legal hold ended",
    "erasure.replay": "a customer's id: his erasure is repeated after a restore",
    "client.set": "a client's id: a new version of its configuration",
    "account.set": "an account's name",
    "account.removed": "an account's name",
    "account.resealed": "an account's name: its settings are encrypted with another key",
    "callback.secret": "callback: it has a new secret",
    "callback.enabled": "callback",
    "callback.disabled": "callback",
    "callback.replay": "callback: deliveries wait again",
    "recipient.set": "the kind of the handle: the time zone was set; the handle itself is not noted",
    "consent.set": "the id of the event that changed the consent",
    "customer.merge": "a customer's id, after the merge",
    "customer.split": "a customer's id: the new one",
    "customer.unlink": "a customer's id: the new one",
    "customer.undo": "the id of the event that was undone",
    "key.create": "an API key's id",
    "key.revoke": "an API key's id",
    "message.cancel": "a message's id",
    "message.release": "a message's id",
    "message.hold": "a message's id: after the database was restored",
    "dead_letter.replay": "a dead letter's id",
    "dead_letter.discard": "a dead letter's id",
    "gap.acknowledge": "a topic and partition",
    # People
    "session.start": "a session's id: a person logged in",
    "session.end": "a session's id: the person logged out, or as `why` of the detail says (`ended`: by whom the entry names)",
    "session.refused": "empty: a person whom the issuer knows was not let in, as `why` of the detail says",
    # The audit itself
    "access.refused": "the API key's id where it is known: requests that were answered 401 or 403, counted by minute",
    "entries.lost": "empty: entries that a process could not write, counted",
    "entries.forget": "empty: the entries of old batches were removed",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry to be written: who did what, to what. `detail` holds ids, counts and times, never a value that was read."""

    actor: str
    action: str
    client_id: str = ""
    subject: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    key_id: UUID | None = None
    address: str | None = None
    request_id: str | None = None
    why: str | None = None
