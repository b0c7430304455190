"""The table `login` of the settings: people who log in with a browser."""

from pydantic import Field, field_validator, model_validator

from app.settings.identity import is_safe
from app.settings.sections import Section


class Login(Section):
    """People's sessions. They log in by the issuers whose `login_client_id` is set. Times in seconds."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s?#@]+$",
        description="the URL by which browsers reach the HTTP process, without a path; the issuer must allow `URL/login/callback`",
    )
    idle: float = Field(default=1800.0, ge=60, description="seconds without a request after which a session ends")
    absolute: float = Field(default=43_200.0, ge=60, description="seconds after the log-in at which a session ends")
    rotate: float = Field(
        default=900.0, ge=10, description="seconds after which the next request of a session gets a new cookie"
    )

    @field_validator("url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        """Refuse a URL on whose way the cookie could be read: browsers would not store it either."""
        if value is not None and not is_safe(value):
            raise ValueError("must be an https URL (http on loopback only)")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> "Login":
        """Refuse sessions that are idle for longer than they may last."""
        if self.idle > self.absolute:
            raise ValueError("idle must be at most absolute")
        return self
