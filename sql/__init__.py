"""The store: the log of events, and the tables projected from it. All access goes through `EventStore`."""

from sql.clients import ClientsStore
from sql.consents import Consenting
from sql.deliveries import DeliveryStore
from sql.errors import DATA_ERRORS, Unstorable, is_transient
from sql.gaps import GapsStore
from sql.keep import Keeping
from sql.messages import Accepted, InFlight, KeptAnswer, KeyTaken, NewMessage, Reference, Settled, references_of
from sql.read import Reading
from sql.relay import RelayStore
from sql.rows import Appended, Bad, DeadLetter, Row
from sql.sending import SendingStore

__all__ = [
    "DATA_ERRORS",
    "Accepted",
    "Appended",
    "Bad",
    "DeadLetter",
    "EventStore",
    "InFlight",
    "KeptAnswer",
    "KeyTaken",
    "NewMessage",
    "Reference",
    "Row",
    "Settled",
    "Unstorable",
    "is_transient",
    "references_of",
]


class EventStore(SendingStore, Reading, Keeping, ClientsStore, Consenting, RelayStore, DeliveryStore, GapsStore):
    """The whole store, one base class for each part: appending (`sql.append`), sending (`sql.sending`), reading
    (`sql.read`), housekeeping (`sql.keep`), clients (`sql.clients`), recipients (`sql.consents`), the relay to Kafka
    (`sql.relay`), callbacks (`sql.deliveries`) and gaps (`sql.gaps`).

    Open it with `await EventStore.open(dsn, pool=8)`, and close it with `async with` or `close`.
    """
