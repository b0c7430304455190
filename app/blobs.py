"""Makes the store of large bodies from the settings."""

import structlog

from app import aws
from app.settings import Settings
from app.settings.sections import S3 as S3Settings
from webhooks.blobs import Blobs, StoreAway, StoreMisconfigured
from webhooks.blobs.bucket import BLOBS, Bucket, Purpose
from webhooks.blobs.folder import Folder
from webhooks.blobs.s3 import S3

log = structlog.get_logger(__name__)

#: What is missing where a bucket is set and no credentials are.
NO_CREDENTIALS = (
    "{table}.bucket is set without credentials: set THREADLINE_{name}__ACCESS_KEY_ID and "
    "THREADLINE_{name}__SECRET_ACCESS_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
)


def blobs_of(settings: Settings) -> Blobs:
    """Return the store. `start` it before use. Raises StoreMisconfigured for a bucket without credentials."""
    return stores_of(settings)[1]


def stores_of(settings: Settings) -> tuple[Folder, Blobs]:
    """Return the folder where bodies arrive, and the store, which is the same folder if no bucket is set. Raises
    StoreMisconfigured for a bucket without credentials."""
    folder = Folder(settings.blobs_folder, settings.blobs.max_bytes)
    bucket = bucket_of(settings)
    if bucket is None:
        return folder, folder
    return folder, S3(bucket, folder, settings.blobs.max_bytes, sweeping=settings.blobs.s3.sweep)


def check(settings: Settings) -> None:
    """Return if the bucket can be used, or none is set. Raises StoreAway; StoreMisconfigured if the settings are at fault."""
    blobs = blobs_of(settings)
    if isinstance(blobs, S3):
        blobs.check()


def refusal(settings: Settings) -> str | None:
    """Return why a process must not start with the bucket. One that cannot be reached is logged: it may come up later."""
    try:
        check(settings)
    except StoreMisconfigured as error:
        return str(error)
    except StoreAway as error:
        log.warning("blobs_away", reason=str(error), effect="large webhooks get 503 until it is back")
    return None


def bucket_of(settings: Settings) -> Bucket | None:
    """Return the bucket, or None if none is set. Raises StoreMisconfigured for one without credentials."""
    return made_of(settings.blobs.s3, BLOBS)


def made_of(s3: S3Settings, of: Purpose) -> Bucket | None:
    """Return the bucket of a table of the settings, or None if it names none. Raises StoreMisconfigured for one without
    credentials."""
    if s3.bucket is None:
        return None
    credentials = aws.credentials("s3", s3.access_key_id, s3.secret_access_key, s3.region)
    if credentials is None:
        raise StoreMisconfigured(NO_CREDENTIALS.format(table=of.table, name=of.table.replace(".", "__").upper()))
    return Bucket(s3.bucket, _url(s3.bucket, s3.endpoint, credentials.region), s3.prefix, credentials, of=of)


def _url(bucket: str, endpoint: str | None, region: str) -> str:
    """Return the bucket's URL without a slash at its end. The bucket is in the path of a custom endpoint, and where its name has
    a dot, which Amazon's certificate does not cover: https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    if endpoint is not None:
        return f"{endpoint.rstrip('/')}/{bucket}"
    host = f"s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    return f"https://{host}/{bucket}" if "." in bucket else f"https://{bucket}.{host}"
