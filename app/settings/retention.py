"""Settings of how long rows are kept."""

from datetime import timedelta

from pydantic import Field, ValidationInfo, field_validator

from app.settings.sections import Section

#: Fewest days for messages and keys: the topics of requests keep theirs for seven, and a record that is read again must find them.
#: The audit's are those that the database enforces.
LEAST = {"messages": 7, "idempotency_keys": 7, "audit": 30}


class Retention(Section):
    """Days that rows are kept; 0: for ever. The worker removes what is older, every hour."""

    messages: int = Field(
        default=90,
        ge=0,
        description="days that a message is kept after its last change, with its attempts and keys, once it is sent, failed, "
        "expired or cancelled; 0, or at least 7",
    )
    idempotency_keys: int = Field(
        default=90,
        ge=0,
        description="days that the answer to a request with an `Idempotency-Key` is kept; 0, or at least 7",
    )
    dead_letters: int = Field(
        default=180,
        ge=0,
        description="days that a dead letter is kept after it was recorded, and last replayed or discarded",
    )
    audit: int = Field(default=400, ge=0, description="days that the audit is kept; 0, or at least 30")
    gaps: int = Field(default=400, ge=0, description="days that a gap is kept after it was acknowledged")

    @field_validator(*LEAST)
    @classmethod
    def _long_enough(cls, days: int, info: ValidationInfo) -> int:
        least = LEAST[info.field_name or ""]
        if 0 < days < least:
            raise ValueError(f"set at least {least} days, or 0 for ever")
        return days

    @property
    def ages(self) -> dict[str, timedelta | None]:
        """The age at which the rows of each store end; None: never."""
        days: dict[str, int] = self.model_dump()
        return {store: timedelta(days=each) if each else None for store, each in days.items()}
