"""The store: the log of events, and what is folded from it. `EventStore` is its single door."""

from sql.append import Appending
from sql.clients import ClientsStore
from sql.deliveries import Delivering
from sql.errors import DATA_ERRORS, Unstorable, is_transient
from sql.keep import Keeping
from sql.read import Reading
from sql.relay import Relaying
from sql.rows import Appended, DeadLetter, Row

__all__ = ["DATA_ERRORS", "Appended", "DeadLetter", "EventStore", "Row", "Unstorable", "is_transient"]


class EventStore(Appending, Reading, Keeping, ClientsStore, Relaying, Delivering):
    """Appends (`sql.append`), reads (`sql.read`), keeps house (`sql.keep`), has the clients (`sql.clients`), tells others
    (`sql.relay`, `sql.deliveries`).

    Open it with `await EventStore.open(dsn, pool=8)`; `async with` what that gives closes it.
    """
