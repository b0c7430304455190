"""Settings of the archive."""

from pathlib import Path

from pydantic import Field, field_validator

from app.settings.sections import Section


class Archive(Section):
    """Where `threadline archive` puts old months of the log, as Parquet."""

    after_months: int = Field(
        default=0,
        ge=0,
        description="whole months after a month's end from which on it is archived; 0: never, or at least 2",
    )
    folder: Path | None = Field(
        default=None, description="folder of the files; if not set, `archive` in the data folder"
    )
    bucket: bool = Field(default=False, description="put the files into the bucket of `blobs.s3`, below `archive/`")

    @field_validator("after_months")
    @classmethod
    def _long_enough(cls, months: int) -> int:
        if months == 1:
            raise ValueError("set at least 2 months, or 0 for never")
        return months
