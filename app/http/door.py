"""Makes the webhook door from the settings."""

from functools import partial

from app.kafka.producers import producer
from app.kafka.topics import max_record
from app.settings import Settings
from app.telemetry import share
from sql.hour_keys import HourKeys
from webhooks.admit import Authenticate
from webhooks.aggregate import Door
from webhooks.blobs import Blobs
from webhooks.blobs.arriving import Large
from webhooks.blobs.folder import Folder
from webhooks.keep import Keep
from webhooks.limits import Limits
from webhooks.producer import FRAME
from webhooks.recognise import Accounts, Sources
from webhooks.spool import Spool


def make(
    settings: Settings,
    folder: Folder,
    blobs: Blobs,
    authenticate: Authenticate | None = None,
    accounts: Accounts | None = None,
    hours: HourKeys | None = None,
) -> Door:
    """Return a door that is not started, for the configured sources and clients' accounts. Large bodies arrive in the folder
    and are stored as blobs (`app.blobs.stores_of`). `hours` has the keys that seal what it keeps. Raises ValueError for a source with an unknown adapter, or without Kafka.
    """
    spool = Spool(settings.data / "spool", settings.door.spool_max)
    keep = Keep(partial(producer, settings), spool, timeout=settings.door.keep_timeout)
    large = Large(folder, blobs, over=settings.blobs.over, in_memory=settings.blobs.in_memory, hours=hours)
    sources = Sources(settings.sources, accounts)
    return Door(sources, keep, limits_of(settings), authenticate, large=large, hours=hours)


def change(door: Door, settings: Settings, accounts: Accounts | None = None) -> None:
    """Put other settings into force. Raises ValueError for a source with an unknown adapter, and then changes nothing."""
    door.use(Sources(settings.sources, accounts), limits_of(settings))
    door.keep.spool.limit = settings.door.spool_max


def limits_of(settings: Settings) -> Limits:
    """Return the door's limits that the settings define."""
    door = settings.door
    return Limits(
        max_body=door.max_body,
        max_body_of={
            name: min(source.max_body, door.max_body)
            for name, source in settings.sources.items()
            if source.max_body is not None
        },
        client_names_of={
            name: frozenset(source.client_names)
            for name, source in settings.sources.items()
            if source.client_names is not None
        },
        max_in_flight=door.max_in_flight,
        max_record=max_record(settings) - FRAME,
        share=share(settings.telemetry),
        trust_traceparent=settings.telemetry.trust_traceparent,
    )
