"""The tables of the settings for the keys that encrypt secrets and personal data at rest."""

import base64
import binascii
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from app.settings.sections import Section
from sql.sealing import KEY_BYTES

_URL = r"^https?://[A-Za-z0-9.\[\]:-]+/?$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$"
#: What stands before a wrapped key: the name of the table that unwraps it.
SCHEMES = ("transit", "kms")


def _private(url: str | None) -> str | None:
    """Refuse plain HTTP, by which keys would travel readably, to any other machine."""
    if url is not None and urlsplit(url).scheme == "http" and not _is_loopback(urlsplit(url).hostname or ""):
        raise ValueError("must begin with https://, since keys pass through it (http:// is for this machine only)")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Transit(Section):
    """The secrets engine Transit of OpenBao or Vault, which wraps keys by one that does not leave it. It is used if `address`
    is set."""

    address: str | None = Field(
        default=None, pattern=_URL, description="URL of OpenBao or Vault, such as https://bao.example.com:8200"
    )
    mount: str = Field(default="transit", pattern=_NAME, description="path where the engine Transit is mounted")
    key: str = Field(default="threadline", pattern=_NAME, description="name of its key that wraps ours")
    token_file: Path | None = Field(
        default=None, description="file with a token that may use it; an agent may renew the file. Or set `role_id`"
    )
    role_id: str | None = Field(default=None, description="role id, to log in by AppRole instead of a token")
    secret_id_file: Path | None = Field(default=None, description="file with the secret id of that role")
    approle: str = Field(default="approle", pattern=_NAME, description="path where AppRole is mounted")
    ca_file: Path | None = Field(
        default=None, description="file of the CA certificates that verify its server, PEM; if not set, the system's"
    )

    _address = field_validator("address")(_private)

    @model_validator(mode="after")
    def _can_log_in(self) -> "Transit":
        if (self.role_id is None) != (self.secret_id_file is None):
            raise ValueError("role_id and secret_id_file belong together: set both, or neither")
        if self.address is not None and (self.token_file is None) == (self.role_id is None):
            raise ValueError("needs either token_file, or role_id with secret_id_file")
        return self


class Kms(Section):
    """AWS KMS, which wraps keys by one that does not leave it. It is used if `key` is set. Credentials that are not set are
    taken from the variables of AWS: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION,
    AWS_DEFAULT_REGION."""

    key: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9:/_-]{1,256}$",
        description="the KMS key that wraps ours: its id, its ARN, or alias/NAME",
    )
    region: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,32}$",
        description="its region; if not set, `AWS_REGION` or `AWS_DEFAULT_REGION`, else us-east-1",
    )
    endpoint: str | None = Field(
        default=None, pattern=_URL, description="URL of KMS; if not set, Amazon's of the region"
    )
    access_key_id: str | None = Field(
        default=None, description="access key id; if not set, `AWS_ACCESS_KEY_ID` and the other variables of AWS"
    )
    secret_access_key: SecretStr | None = Field(default=None, description="its secret access key")

    _endpoint = field_validator("endpoint")(_private)

    @model_validator(mode="after")
    def _whole(self) -> "Kms":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together: set both, or neither")
        return self


class Secrets(Section):
    """The keys that encrypt secrets and personal data at rest. Those of `wrapped`, then those of `keys`: the first encrypts,
    all decrypt. To rotate, put a new key last, then first, with a restart after each (docs/keys.md)."""

    keys: list[SecretStr] = Field(
        default=[],
        description="keys that encrypt secrets and personal data, each base64 of 32 bytes: the first encrypts, all decrypt",
    )
    wrapped: list[str] = Field(
        default=[],
        description="such keys, encrypted by `secrets.transit` or `secrets.kms` as `threadline secrets create` prints them; "
        "they come before those of `secrets.keys`",
    )
    transit: Transit = Transit()
    kms: Kms = Kms()

    @field_validator("keys")
    @classmethod
    def _sound(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for key in keys:
            try:
                size = len(base64.b64decode(key.get_secret_value(), validate=True))
            except (ValueError, binascii.Error):
                size = 0
            if size != KEY_BYTES:
                raise ValueError("each key must be base64 of 32 bytes, as `openssl rand -base64 32` prints it")
        return keys

    @field_validator("wrapped")
    @classmethod
    def _has_a_scheme(cls, wrapped: list[str]) -> list[str]:
        for one in wrapped:
            scheme, _, text = one.partition(":")
            if scheme not in SCHEMES or not text:
                raise ValueError("each must begin with transit: or kms:, as `threadline secrets create` prints it")
        return wrapped

    @model_validator(mode="after")
    def _can_unwrap(self) -> "Secrets":
        schemes = {one.partition(":")[0] for one in self.wrapped}
        if "transit" in schemes and self.transit.address is None:
            raise ValueError("wrapped has a key of transit, and transit.address is not set")
        if "kms" in schemes and self.kms.key is None:
            raise ValueError("wrapped has a key of kms, and kms.key is not set")
        return self

    @property
    def given(self) -> bool:
        """Whether there is any key."""
        return bool(self.keys or self.wrapped)


class Sealing(Section):
    """Whether raw records are encrypted at rest, under keys of each hour that are destroyed when their retention ends
    (docs/keys.md). What was written before is read in any case."""

    records: bool = Field(
        default=True,
        description="encrypt what providers and services sent: on Kafka and in the spool, raw webhooks, blobs, dead letters",
    )
    events: bool = Field(
        default=False,
        description="encrypt the records of `events.recorded`; programs that read them then need the keys",
    )
