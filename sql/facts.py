r"""The facts of an interaction: what happened to it, each with the earliest time at which an event stated it.

This is the only list of them. `sql.statements` repeats each `\each` line of a SQL file for every fact, in this order,
and the reader (`sql.read`) and the API (`app.api.bodies`) take the names from here. A new fact is a row here and a
migration that adds its column.
"""

from typing import NamedTuple


class Fact(NamedTuple):
    """One fact. `event` is the type of the events that state it, and its key in the API's `facts`; `call_event` is the
    type that states it for a call, if that is another type."""

    name: str
    event: str
    call_event: str | None = None

    @property
    def column(self) -> str:
        """Its column in the table `interactions`, a time."""
        return f"{self.name}_at"

    @property
    def types(self) -> str:
        """The event types that state it, as a list of SQL literals."""
        return ", ".join(f"'{type}'" for type in (self.event, self.call_event) if type)


#: Later changes of a message by its writer. They have no columns, as they count only if the writer made them (see `own_changes`).
CHANGES = (Fact("edited", "MessageEdited"), Fact("deleted", "MessageDeleted"))

FACTS = (
    Fact("requested", "MessageRequested"),
    Fact("held", "MessageHeld"),
    Fact("queued", "MessageQueued"),
    Fact("sent", "UserMessageSent"),
    Fact("delayed", "MessageDelayed"),
    Fact("delivered", "MessageDelivered"),
    Fact("failed", "MessageFailed", "CallFailed"),
    Fact("bounced", "MessageBounced"),
    Fact("rejected", "MessageRejected"),
    Fact("cancelled", "MessageCancelled"),
    Fact("expired", "MessageExpired"),
    Fact("read", "MessageRead"),
    Fact("opened", "MessageOpened"),
    Fact("clicked", "MessageClicked"),
    Fact("complained", "MessageComplained"),
    Fact("unsubscribed", "RecipientUnsubscribed"),
    Fact("subscribed", "RecipientSubscribed"),
    Fact("received", "MessageReceived"),
    Fact("started", "CallStarted"),
    Fact("ended", "CallCompleted"),
    # The time of a call's recording. In `events`, `dead_letters` and `deliveries`, `recorded_at` is the time of a
    # commit.
    Fact("recorded", "CallRecorded"),
    Fact("processing", "InteractionProcessing"),
    Fact("completed", "InteractionCompleted"),
)
