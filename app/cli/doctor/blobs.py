"""The check of `threadline doctor` on the bucket of large bodies."""

import asyncio
from collections.abc import AsyncIterator

from app.blobs import check
from app.cli.doctor.finding import Finding
from app.settings import Settings
from webhooks.blobs import StoreAway, StoreMisconfigured


async def bucket(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the bucket of blobs, if one is set, can be listed with these credentials."""
    s3 = settings.blobs.s3
    if s3.bucket is None:
        return
    try:
        await asyncio.to_thread(check, settings)
    except StoreMisconfigured as error:
        found, _, todo = str(error).partition(": ")
        yield Finding("Large bodies", "wrong", found, todo)
    except StoreAway as error:
        yield Finding("Large bodies", "wrong", str(error), "start it, or correct THREADLINE_BLOBS__S3__ENDPOINT")
    else:
        yield Finding("Large bodies", "ok", f"bucket {s3.bucket} at {s3.endpoint or 'Amazon S3'}")
