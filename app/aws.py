"""Reads the credentials for Amazon's services: from the settings, else from the variables that AWS defines."""

import os

from pydantic import SecretStr

from adapters.signing.sigv4 import Credentials


def credentials(
    service: str, access_key_id: str | None, secret_access_key: SecretStr | None, region: str | None
) -> Credentials | None:
    """Return the credentials for a service (`s3`, `kms`) with these settings, or None if there are none."""
    key, secret, token = access_key_id, secret_access_key.get_secret_value() if secret_access_key else "", ""
    if not key:
        key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
        token = os.environ.get("AWS_SESSION_TOKEN", "")
    if not key or not secret:
        return None
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return Credentials(key, secret, where, service, token)
