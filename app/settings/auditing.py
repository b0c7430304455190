"""The table `audit` of the settings."""

import base64
import binascii
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.sections import BUCKET_NAME, S3, Section


class AuditS3(S3):
    """The bucket to which anchors are written. Endpoint and credentials without a bucket are for `threadline audit verify`."""

    bucket: str | None = Field(
        default=None,
        pattern=BUCKET_NAME,
        description="bucket of an S3-compatible store to which anchors are written, one object for each",
    )
    lock_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        description="days for which the bucket's object lock keeps each anchor from being altered or removed; the bucket must have it "
        "enabled",
    )
    lock_mode: Literal["compliance", "governance"] = Field(
        default="compliance",
        description="`compliance`: nobody can shorten the lock; `governance`: accounts with s3:BypassGovernanceRetention can",
    )

    @model_validator(mode="after")
    def _named(self) -> Self:
        """Refuse what only writing needs without a bucket to write to."""
        if self.bucket is None and (self.prefix or self.lock_days):
            raise ValueError("bucket is not set")
        return self


class Audit(Section):
    """The audit: reads of personal data, sealing, and anchors outside the database. Times in seconds."""

    reads: Literal["queued", "required"] = Field(
        default="queued",
        description="entries of reads: `queued` writes them within a second, and counts those that are lost while the database is "
        "away; `required` answers a read once its entry is written, and refuses it with 503 otherwise",
    )
    queue: int = Field(default=10_000, ge=100, description="most entries that wait to be written, in each process")
    seal_every: float = Field(
        default=60.0, ge=1, le=3600, description="seconds after which entries are sealed, or a thousand of them earlier"
    )
    anchor_every: float = Field(default=900.0, ge=10, description="seconds between two anchors of each kind")
    key: SecretStr | None = Field(
        default=None,
        description="private key that signs anchors, Ed25519, base64 of 32 bytes; `threadline audit key` makes one",
    )
    anchor_file: Path | None = Field(
        default=None,
        description="file to which anchors are appended, one line for each; on another disk than the database's",
    )
    anchor_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s@]+$",
        description="URL to which anchors are posted, signed as Standard Webhooks (v1a)",
    )
    anchor_topic: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="Kafka topic to which anchors are written; create it with a retention of your own",
    )
    s3: AuditS3 = AuditS3()

    @field_validator("key")
    @classmethod
    def _key_of_32_bytes(cls, value: SecretStr | None) -> SecretStr | None:
        """Refuse what is no key, without showing it."""
        if value is not None:
            try:
                size = len(base64.b64decode(value.get_secret_value(), validate=True))
            except (binascii.Error, ValueError):
                size = 0
            if size != 32:
                raise ValueError("must be base64 of 32 bytes; make one with: threadline audit key")
        return value

    @model_validator(mode="after")
    def _signed(self) -> "Audit":
        """Refuse anchors that nothing signs."""
        if self.key is None and (self.anchor_file or self.anchor_url or self.anchor_topic or self.s3.bucket):
            raise ValueError("anchors are signed: set key as well; make one with: threadline audit key")
        return self
