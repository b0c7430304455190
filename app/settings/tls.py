"""The table `door.tls` of the settings: the certificate with which the HTTP process ends TLS itself."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Tls(BaseModel):
    """TLS at the door, 1.2 and 1.3. Files are PEM, and read again when they change. Without `certificate` the HTTP process speaks
    plain HTTP, for loopback or a proxy that ends TLS."""

    model_config = ConfigDict(extra="forbid")

    certificate: Path | None = Field(
        default=None, description="file of the door's certificate, and of those that its issuer needs after it, PEM"
    )
    key: Path | None = Field(default=None, description="file of its private key, PEM, not encrypted")
    client_ca: Path | None = Field(
        default=None, description="file of the CA certificates that verify callers' certificates (mutual TLS), PEM"
    )
    client_certificates: Literal["required", "sources"] = Field(
        default="required",
        description="with `client_ca`, who needs a certificate: every caller, or only those of sources that set "
        "`client_names`",
    )

    @model_validator(mode="after")
    def _whole(self) -> "Tls":
        """Refuse a certificate without its key, and a CA without TLS."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both, or neither")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are set."""
        return tuple(file for file in (self.certificate, self.key, self.client_ca) if file is not None)
