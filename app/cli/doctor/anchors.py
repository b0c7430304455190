"""The check of `threadline doctor` on the bucket of the audit's anchors."""

import asyncio
from collections.abc import AsyncIterator

from app.auditing.bucket import check
from app.cli.doctor.finding import Finding
from app.numbered import numbered
from app.settings import Settings
from webhooks.blobs import StoreAway, StoreMisconfigured

WHAT = "Anchors of the audit"


async def bucket(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the bucket of anchors, if one is set, is there, takes these credentials, and has the object lock that is set."""
    s3 = settings.audit.s3
    if s3.bucket is None:
        return
    try:
        locked = await asyncio.to_thread(check, settings.audit)
    except StoreMisconfigured as error:
        found, _, todo = str(error).partition(": ")
        yield Finding(WHAT, "wrong", found, todo)
    except StoreAway as error:
        yield Finding(WHAT, "wrong", str(error), "start it, or correct THREADLINE_AUDIT__S3__ENDPOINT")
    else:
        where = f"bucket {s3.bucket} at {s3.endpoint or 'Amazon S3'}"
        if locked is False:
            todo = "create the bucket with object lock, or leave THREADLINE_AUDIT__S3__LOCK_DAYS out"
            yield Finding(WHAT, "wrong", f"{where} has no object lock, so that it refuses anchors with one", todo)
        elif s3.lock_days is None:
            todo = "set THREADLINE_AUDIT__S3__LOCK_DAYS, with a bucket that has object lock"
            yield Finding(
                WHAT, "note", f"{where}, without object lock: who has its credentials can replace anchors", todo
            )
        else:
            yield Finding(WHAT, "ok", f"{where}, locked for {numbered(s3.lock_days, 'day')}")
