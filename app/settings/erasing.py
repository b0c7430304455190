"""The table `erasure` of the settings."""

from pathlib import Path

from pydantic import Field

from app.settings.sections import Section


class Erasure(Section):
    """The erasure of customers."""

    ledger: Path | None = Field(
        default=None,
        description="file to which each erasure is appended as a line, on another disk than the database's: after a restore "
        "`threadline erasure replay` repeats what the restored database does not know",
    )
    approval: bool = Field(
        default=False,
        description="whether an erasure waits until a second person or API key with `customers:erase` approves it; nothing is destroyed before",
    )
    approval_days: int = Field(
        default=7, ge=1, le=365, description="days after which an erasure that nobody approved has to be asked for anew"
    )
    ask_hours: int = Field(
        default=72,
        ge=1,
        le=720,
        description="hours for which a provider that gives no final answer is asked again to erase what it keeps, where a client's "
        "configuration wants that; the erasure goes on then, and the receipt says so",
    )
    backup_days: int = Field(
        default=35, ge=0, description="days for which you keep backups; receipts state it, nothing is removed by it"
    )
