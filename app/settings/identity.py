"""The tables `identity` and `issuers` of the settings: whose tokens the API accepts beside API keys, and by whom people log in."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from app.http.scopes import ROLES
from app.settings.sections import Section

_Claim = Annotated[str, Field(pattern=r"^[^.]+(\.[^.]+)*$")]
_Scope = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")]
#: The name of an issuer among several. It stands before its subjects in the audit, and in a cookie.
IssuerName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def is_safe(url: str) -> bool:
    """Return whether what comes from a URL, or goes to it, is protected on its way: https, or http on loopback."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


class Identity(Section):
    """An issuer of tokens (OAuth 2.0, OpenID Connect) that the API accepts beside API keys, and what their claims mean. A claim inside
    another is written with dots: `realm_access.roles`. With `login_client_id` people log in by it."""

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
        default="threadline_client",
        description="claim with the client id that the token acts for, or a list of them, of which each request names one",
    )
    scope_claim: _Claim = Field(default="scope", description="claim with scopes, as a list or separated by spaces")
    roles_claim: _Claim = Field(
        default="roles", description="claim with roles, as a list; others than ours are ignored"
    )
    roles: dict[str, list[str]] = Field(
        default={},
        description="our roles for each word of the roles claim, such as a group's id; if set, other words grant nothing",
    )
    acr: list[str] = Field(default=[], description="values of `acr`, one of which a token must have; if empty, any")
    amr: list[str] = Field(default=[], description="values that a token's `amr` must all have, such as mfa")
    login_client_id: str | None = Field(
        default=None,
        min_length=1,
        description="client id of Threadline at the issuer, for people who log in with a browser; if not set, nobody does by this issuer",
    )
    login_client_secret: SecretStr | None = Field(
        default=None, description="its secret, where the issuer gave it one (a confidential client)"
    )
    login_scopes: list[_Scope] = Field(default=["openid"], description="scopes that a log-in asks the issuer for")
    cli_client_id: str | None = Field(
        default=None, min_length=1, description="client id of the command line at the issuer, for `threadline login`"
    )
    cli_scopes: list[_Scope] = Field(default=[], description="scopes that `threadline login` asks the issuer for")

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _safe(cls, value: str | None) -> str | None:
        """Refuse URLs over which somebody else could give us keys."""
        if value is not None and not is_safe(value):
            raise ValueError("must be an https URL (http on loopback only)")
        return value

    @field_validator("roles")
    @classmethod
    def _ours(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        """Refuse roles that there are not: they would grant nothing, unnoticed."""
        if unknown := sorted({role for roles in value.values() for role in roles} - ROLES.keys()):
            raise ValueError(f"there is no role {', '.join(unknown)}; the roles are {', '.join(ROLES)}")
        return value

    @model_validator(mode="after")
    def _with_audience(self) -> "Identity":
        """Refuse an issuer without an audience, whose tokens for any other service would be accepted, and one whose ID tokens would pass
        for tokens for the API."""
        if self.issuer is not None and not self.audience:
            raise ValueError("audience must be set with issuer: else tokens for other services were accepted")
        if {self.login_client_id, self.cli_client_id} & set(self.audience):
            raise ValueError(
                "audience must not have login_client_id or cli_client_id: ID tokens would pass for tokens for the API"
            )
        if self.login_client_id and "openid" not in self.login_scopes:
            raise ValueError("login_scopes must have openid")
        return self


def faults_of(identity: Identity, issuers: Mapping[str, Identity], url: str | None) -> list[str]:
    """Return what is wrong with all issuers together. `url`: the setting `login.url`."""
    faults = [f"issuers.{name}.issuer must be set" for name, one in issuers.items() if one.issuer is None]
    stated = [one.issuer for one in issuers.values() if one.issuer is not None]
    if len(stated) != len(set(stated)):
        faults.append("issuers: two tables have the same issuer")
    if issuers and identity.issuer is not None:
        faults.append("identity.issuer and issuers exclude each other: with several, each has a table [issuers.NAME]")
    if url is None and any(one.login_client_id for one in (identity, *issuers.values())):
        faults.append("login.url must be set where login_client_id is: issuers send people back to it")
    return faults
