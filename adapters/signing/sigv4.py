"""Signs a request by AWS Signature Version 4.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from adapters.signing.signatures import hex_sha256

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys, region and service to sign a request for; temporary credentials have a session token too."""

    access_key_id: str
    secret_access_key: str
    region: str
    service: str
    session_token: str = ""


def signed(
    method: str, url: str, headers: Mapping[str, str], body: bytes, credentials: Credentials, now: datetime
) -> dict[str, str]:
    """Return the headers (lower case) with `host`, `x-amz-date` and `authorization`; `now` is aware and in UTC.

    The URL's path and query must be encoded as `quote(…, safe="-_.~")` does, and the query's parameters sorted by name. The
    body is the one that `x-amz-content-sha256` names, if the headers have it (Amazon S3 requires it); then `body` is not read:
    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """
    parts, moment = urlsplit(url), now.strftime("%Y%m%dT%H%M%SZ")
    made = {name: " ".join(value.split()) for name, value in headers.items()}
    made |= {"host": parts.netloc, "x-amz-date": moment}
    if credentials.session_token:
        made["x-amz-security-token"] = credentials.session_token
    names = sorted(made)
    canonical = "\n".join(
        [
            method,
            quote(parts.path or "/", safe="/-_.~"),
            parts.query,
            *(f"{name}:{made[name]}" for name in names),
            "",
            ";".join(names),
            made.get("x-amz-content-sha256") or hex_sha256(body),
        ]
    )
    scope = f"{moment[:8]}/{credentials.region}/{credentials.service}/aws4_request"
    to_sign = "\n".join([ALGORITHM, moment, scope, hex_sha256(canonical.encode())])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    made["authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope},"
        f" SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return made
