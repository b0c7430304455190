"""Wraps keys by AWS KMS: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html and API_Decrypt.html.

The credentials need the permissions `kms:Encrypt` (to wrap) and `kms:Decrypt` on the key.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.signing.sigv4 import signed
from app import aws
from app.keys.calls import post, whole
from app.keys.wrapping import KeysAway, KeysRefused
from app.settings import Kms

_WHAT = "AWS KMS (secrets.kms)"
_SCHEME = "kms:"
#: Binds a wrapped key to its purpose, and is in CloudTrail's log of each use:
#: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
CONTEXT = {"purpose": "threadline secrets"}
#: Errors after which another try may succeed, beside any of status 500 and above:
#: https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
_LATER = frozenset({"ThrottlingException", "LimitExceededException", "RequestExpired", "KeyUnavailableException"})
#: Errors that no retry resolves, and what to check.
_HINTS = {
    "AccessDeniedException": "the permissions kms:Encrypt and kms:Decrypt on secrets.kms.key",
    "DisabledException": "secrets.kms.key: enable it again in KMS",
    "IncorrectKeyException": "secrets.kms.key, which has not wrapped it",
    "InvalidCiphertextException": "secrets.wrapped, and secrets.kms.key, which has not wrapped it",
    "InvalidSignatureException": "secrets.kms.secret_access_key, and this machine's clock",
    "KMSInvalidStateException": "secrets.kms.key: it is disabled, or about to be deleted: cancel that in KMS",
    "NotFoundException": "secrets.kms.key and secrets.kms.region",
    "UnrecognizedClientException": "secrets.kms.access_key_id",
}


class KmsWrapper:
    """Wraps and unwraps by one key of KMS, each by one call."""

    def __init__(self, kms: Kms) -> None:
        if kms.key is None:
            raise KeysRefused("secrets.kms.key is not set")
        self._key = kms.key
        credentials = aws.credentials("kms", kms.access_key_id, kms.secret_access_key, kms.region)
        if credentials is None:
            raise KeysRefused(
                "secrets.kms is set without credentials: set THREADLINE_SECRETS__KMS__ACCESS_KEY_ID and "
                "THREADLINE_SECRETS__KMS__SECRET_ACCESS_KEY, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        self._credentials, region = credentials, credentials.region
        host = f"kms.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        self._url = f"{(kms.endpoint or f'https://{host}').rstrip('/')}/"

    def wrap(self, key: bytes) -> str:
        """Return the wrapped key. Raises KeysAway or KeysRefused."""
        found = self._call("Encrypt", {"Plaintext": base64.b64encode(key).decode()}).get("CiphertextBlob")
        if not isinstance(found, str):
            raise KeysRefused(f"{_WHAT} answers without a ciphertext: check secrets.kms.endpoint")
        return _SCHEME + found

    def unwrap(self, wrapped: str) -> bytes:
        """Return the key. Raises KeysAway or KeysRefused."""
        found = self._call("Decrypt", {"CiphertextBlob": wrapped.removeprefix(_SCHEME)}).get("Plaintext")
        try:
            return whole(base64.b64decode(found, validate=True) if isinstance(found, str) else None, _WHAT)
        except binascii.Error:
            return whole(None, _WHAT)

    def _call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        body = orjson.dumps({"KeyId": self._key, "EncryptionContext": CONTEXT, **parameters})
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{operation}"}
        headers = signed("POST", self._url, headers, body, self._credentials, datetime.now(UTC))
        status, answer = post(self._url, headers, body, _WHAT)
        if status == 200:
            return answer
        # The name of the error may stand behind a namespace. Its message is left out, since it may repeat what was sent.
        code = str(answer.get("__type", "")).rpartition("#")[2][:64]
        said = f"{_WHAT} answers {status} {code}".rstrip()
        if status >= 500 or status == 429 or code in _LATER:
            raise KeysAway(said)
        other = "secrets.kms.access_key_id and secrets.kms.secret_access_key" if status in (401, 403) else "secrets.kms"
        raise KeysRefused(f"{said}: check {_HINTS.get(code, other)}")
