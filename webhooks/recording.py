"""Makes the Kafka records of verified webhooks: without secrets, encoded, within a record's size, and sealed."""

from sql.hour_keys import HourKeys
from sql.sealed_records import OVERHEAD
from sql.sealing import NoKey
from webhooks.admit import LATER
from webhooks.blobs import Reference
from webhooks.cutting import Cutters
from webhooks.ids import uuid7
from webhooks.keep import PLACE
from webhooks.recognise import Verdict
from webhooks.record import Webhook, encode
from webhooks.replies import Refused
from webhooks.spool import Unkeepable

#: A record that is too large with a head above this many bytes is answered 431, since the headers are at fault; else 413.
RECORD_HEAD = 64 << 10


class Recording:
    """Makes records. `hours` has the keys that seal them; without it they are left as they are."""

    def __init__(self, hours: HourKeys | None) -> None:
        self._hours = hours
        self._cutters = Cutters()

    def of(self, verdict: Verdict, blob: Reference | None, most: int) -> tuple[str, bytes]:
        """Return the id and the record, of at most `most` bytes, of a webhook; if `blob` is given, it is the webhook's body. Raises
        Refused (413, 431, 503)."""
        request = verdict.request
        cutter = self._cutters.of(verdict.source, verdict.adapter, verdict.values)
        webhook = Webhook(
            uuid7(),
            verdict.events_source or verdict.source,
            verdict.adapter.name,
            verdict.client,
            request.method,
            cutter.url(request.url),
            cutter.headers(request.headers),
            request.received_at,
            verdict.authentic,
            request.body,
            blob,
        )
        record = encode(webhook)
        if len(record) + OVERHEAD > most:
            status = 413 if len(record) - (0 if blob else len(request.body)) < RECORD_HEAD else 431
            raise Refused(status, f"a record of {len(record)} bytes", source=verdict.source)
        if self._hours is not None:
            try:
                record = self._hours.seal("records", PLACE, record, large=blob is not None)
            except NoKey as error:
                raise unkept(error, verdict.source) from None
        return webhook.id, record


def unkept(error: Exception, source: str) -> Refused:
    """Return the refusal of a webhook that could not be kept: 413 if Kafka will never take it (Unkeepable), else 503."""
    if isinstance(error, Unkeepable):
        return Refused(413, str(error), source=source)
    return Refused(503, str(error), source=source, retry_after=LATER)
