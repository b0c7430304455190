"""The store: the log of events, and what is folded from it. `EventStore` is its single door."""

from sql.clients import ClientsStore
from sql.consents import Consenting
from sql.deliveries import DeliveryStore
from sql.errors import DATA_ERRORS, Unstorable, is_transient
from sql.gaps import Gaps
from sql.keep import Keeping
from sql.messages import Accepted, InFlight, KeptAnswer, KeyTaken, NewMessage, Settled
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
    "Row",
    "Settled",
    "Unstorable",
    "is_transient",
]


class EventStore(SendingStore, Reading, Keeping, ClientsStore, Consenting, RelayStore, DeliveryStore, Gaps):
    """Appends (`sql.append`), sends (`sql.sending`), reads (`sql.read`), keeps house (`sql.keep`), has the clients
    (`sql.clients`), knows recipients (`sql.consents`), tells others (`sql.relay`, `sql.deliveries`), and notes what was passed over (`sql.gaps`).

    Open it with `await EventStore.open(dsn, pool=8)`; `async with` what that gives closes it.
    """
