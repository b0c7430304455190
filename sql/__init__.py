"""The store: the log of events, and the tables projected from it. All access goes through `EventStore`."""

from sql.audit import AuditStore
from sql.clients import ClientsStore
from sql.consents import Consenting
from sql.dead_letters import DeadLettersStore, Filter
from sql.deliveries import DeliveryStore
from sql.erasing import ErasingStore
from sql.erasures import ErasuresStore
from sql.errors import DATA_ERRORS, Unstorable, is_transient
from sql.gaps import GapsStore
from sql.keep import Keeping
from sql.messages import Accepted, InFlight, KeptAnswer, KeyTaken, NewMessage, Reference, Settled, references_of
from sql.read import Reading
from sql.relay import RelayStore
from sql.replaying import ReplayingStore
from sql.retention import RetentionStore
from sql.rows import Appended, Bad, DeadLetter, Replayed, Row
from sql.sending import SendingStore
from sql.waiting import Waiting, WaitingStore

__all__ = [
    "DATA_ERRORS",
    "Accepted",
    "Appended",
    "Bad",
    "DeadLetter",
    "EventStore",
    "Filter",
    "InFlight",
    "KeptAnswer",
    "KeyTaken",
    "NewMessage",
    "Reference",
    "Replayed",
    "Row",
    "Settled",
    "Unstorable",
    "Waiting",
    "is_transient",
    "references_of",
]


class EventStore(
    SendingStore,
    WaitingStore,
    Reading,
    Keeping,
    ClientsStore,
    AuditStore,
    Consenting,
    RelayStore,
    DeliveryStore,
    GapsStore,
    DeadLettersStore,
    RetentionStore,
    ErasuresStore,
    ErasingStore,
    ReplayingStore,
):
    """The whole store, one base class for each part: appending (`sql.append`), sending (`sql.sending`, `sql.waiting`), reading
    (`sql.read`), housekeeping (`sql.keep`), clients (`sql.clients`), recipients (`sql.consents`), the relay to Kafka
    (`sql.relay`), callbacks (`sql.deliveries`), erasures (`sql.erasures`, `sql.erasing`, `sql.replaying`), gaps (`sql.gaps`), dead letters (`sql.dead_letters`), the ends of rows
    (`sql.retention`) and the audit (`sql.audit`).

    Open it with `await EventStore.open(dsn, seal, pool=8)`, and close it with `async with` or `close`.
    """
