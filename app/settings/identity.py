"""The table `identity` of the settings: whose tokens the API accepts beside API keys."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from app.settings.sections import Section

_Claim = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Identity(Section):
    """The issuer of tokens (OAuth 2.0, OpenID Connect) that the API accepts beside API keys, and what their claims mean. A claim inside
    another is written with dots: `realm_access.roles`."""

    issuer: str | None = Field(
        default=None, description="the issuer's URL, as its tokens have it in `iss`; if not set, no tokens are accepted"
    )
    audience: list[str] = Field(default=[], description="values of `aud`, one of which a token must have")
    jwks_url: str | None = Field(
        default=None,
        description="URL of the issuer's keys; if not set, the `jwks_uri` of its /.well-known/openid-configuration",
    )
    leeway: int = Field(
        default=30, ge=0, le=300, description="seconds by which the issuer's clock may differ from ours"
    )
    client_claim: _Claim = Field(
        default="threadline_client", description="claim with the client id that the token acts for"
    )
    scope_claim: _Claim = Field(default="scope", description="claim with scopes, as a list or separated by spaces")
    roles_claim: _Claim = Field(
        default="roles", description="claim with roles, as a list; others than ours are ignored"
    )
    acr: list[str] = Field(default=[], description="values of `acr`, one of which a token must have; if empty, any")
    amr: list[str] = Field(default=[], description="values that a token's `amr` must all have, such as mfa")

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        """Refuse URLs over which somebody else could give us keys."""
        if value is not None:
            url = urlsplit(value)
            if not url.hostname or not (url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)):
                raise ValueError("must be an https URL (http on loopback only)")
        return value

    @model_validator(mode="after")
    def _with_audience(self) -> "Identity":
        """Refuse an issuer without an audience: its tokens for any other service would be accepted."""
        if self.issuer is not None and not self.audience:
            raise ValueError("audience must be set with issuer: else tokens for other services were accepted")
        return self
