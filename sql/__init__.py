"""The store: the log of events, and the tables projected from it. All access goes through `EventStore`."""

from sql.approvals import ApprovalsStore
from sql.audit import AuditStore
from sql.clients import ClientsStore
from sql.consents import Consenting
from sql.customers import CustomersStore
from sql.dead_letters import DeadLettersStore, Filter
from sql.decisions import Deciding, Decision, DecisionsStore, Refused
from sql.deliveries import DeliveryStore
from sql.erased_consents import ErasedConsentsStore
from sql.erased_files import ErasedFilesStore
from sql.erasing import ErasingStore
from sql.errors import DATA_ERRORS, Unstorable, is_transient
from sql.exporting import ExportingStore
from sql.gaps import GapsStore
from sql.holdings import HoldingsStore
from sql.hours import HoursStore
from sql.keep import Keeping
from sql.messages import (
    Accepted,
    InFlight,
    KeptAnswer,
    KeyTaken,
    NewMessage,
    Recalled,
    Reference,
    Settled,
    references_of,
)
from sql.provider_erasures import ProviderErasuresStore
from sql.read import Reading
from sql.relay import RelayStore
from sql.replaying import ReplayingStore
from sql.retention import RetentionStore
from sql.rows import Appended, Bad, DeadLetter, Replayed, Row
from sql.sending import SendingStore
from sql.separating import SeparatingStore
from sql.sessions import SessionsStore
from sql.waiting import Waiting, WaitingStore

__all__ = [
    "DATA_ERRORS",
    "Accepted",
    "Appended",
    "Bad",
    "DeadLetter",
    "Deciding",
    "Decision",
    "EventStore",
    "Filter",
    "InFlight",
    "KeptAnswer",
    "KeyTaken",
    "NewMessage",
    "Recalled",
    "Reference",
    "Refused",
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
    DecisionsStore,
    ErasingStore,
    ClientsStore,
    Reading,
    ExportingStore,
    CustomersStore,
    RelayStore,
    DeliveryStore,
    Consenting,
    ApprovalsStore,
    ReplayingStore,
    HoldingsStore,
    ErasedConsentsStore,
    ErasedFilesStore,
    SeparatingStore,
    ProviderErasuresStore,
    Keeping,
    DeadLettersStore,
    HoursStore,
    AuditStore,
    GapsStore,
    RetentionStore,
    SessionsStore,
):
    """The whole store, one base class for each part: appending (`sql.append`), sending (`sql.sending`, `sql.waiting`), reading
    (`sql.read`), customers (`sql.customers`, `sql.decisions`), housekeeping (`sql.keep`), clients (`sql.clients`), recipients (`sql.consents`), the relay to Kafka
    (`sql.relay`), callbacks (`sql.deliveries`), erasures (`sql.erasures`, `sql.approvals`, `sql.erasing`, `sql.holdings`,
    `sql.erased_consents`, `sql.erased_files`, `sql.separating`, `sql.provider_erasures`, `sql.replaying`), gaps (`sql.gaps`), dead letters (`sql.dead_letters`), the keys of raw records
    (`sql.hours`), the ends of rows (`sql.retention`), the audit (`sql.audit`) and people's sessions (`sql.sessions`).

    Open it with `await EventStore.open(dsn, seal, pool=8)`, and close it with `async with` or `close`.
    """
