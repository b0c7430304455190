"""Makes the webhook door from the settings."""

from functools import partial

from app.kafka.producers import producer
from app.kafka.topics import max_record
from app.settings import Settings
from app.telemetry import share
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
) -> Door:
    """Return a door that is not started, for the configured sources and clients' accounts. Large bodies arrive in the folder
    and are stored as blobs (`app.blobs.stores_of`). Raises ValueError for a source with an unknown adapter, or without Kafka.
    """
    door = settings.door
    spool = Spool(settings.data / "spool", door.spool_max)
    keep = Keep(partial(producer, settings), spool, timeout=door.keep_timeout)
    limits = Limits(
        max_body=door.max_body,
        max_body_of={
            name: min(source.max_body, door.max_body)
            for name, source in settings.sources.items()
            if source.max_body is not None
        },
        max_in_flight=door.max_in_flight,
        max_record=max_record(settings) - FRAME,
        share=share(settings.telemetry),
        trust_traceparent=settings.telemetry.trust_traceparent,
    )
    large = Large(folder, blobs, over=settings.blobs.over, in_memory=settings.blobs.in_memory)
    return Door(Sources(settings.sources, accounts), keep, limits, authenticate, large=large)
