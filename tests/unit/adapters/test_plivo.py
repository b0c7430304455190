"""Plivo's two signatures: the stronger counts where it is, the weaker alone where messages have no other."""

import base64
import hashlib
import hmac

import pytest

from adapters import plivo
from adapters.contract import InvalidSignature, Request
from app.cli.support.http_file import read_request
from tests.fixtures import FOLDER, accounts

VALUES = accounts("plivo").values


def fixture(name: str = "status_delivered") -> Request:
    came = read_request((FOLDER / "plivo" / f"{name}.http").read_bytes())
    return Request(came.method, came.url(), dict(came.headers), came.body, accounts("plivo").at, "plivo")


def without(request: Request, version: str) -> Request:
    request.headers = {name: value for name, value in request.headers.items() if f"signature-{version}" not in name}
    return request


def test_a_changed_form_is_refused_though_the_weaker_signature_holds() -> None:
    """V2 does not cover the form, so it must not stand in for a V3 that fails."""
    request = fixture()
    request.body = request.body.replace(b"delivered", b"rejected!")
    with pytest.raises(InvalidSignature, match="v3"):
        plivo.verify(request, VALUES)


@pytest.mark.parametrize("missing", ["v2", "v3"])
def test_either_signature_is_enough_where_it_is_the_only_one(missing: str) -> None:
    """Messages are documented with V2, calls with V3."""
    assert plivo.verify(without(fixture(), missing), VALUES) is True


def test_the_main_accounts_signature_counts_and_several_in_a_header() -> None:
    """A subaccount's webhook is signed for the main account as well; one header may have several."""
    request = fixture()
    headers = dict(request.headers)
    headers["x-plivo-signature-ma-v3"] = f"AAAA, {headers.pop('x-plivo-signature-v3')}"
    request.headers = headers
    assert plivo.verify(request, VALUES) is True


def test_a_nonce_must_come_along() -> None:
    """Without it nothing can be compared."""
    request = fixture()
    request.headers = {name: value for name, value in request.headers.items() if not name.endswith("-nonce")}
    with pytest.raises(InvalidSignature, match="nonce"):
        plivo.verify(request, VALUES)


def test_what_is_signed_is_what_the_official_library_signs() -> None:
    """plivo-python's construct_post_url: the query sorted behind a question mark, a dot, names and values sorted, a dot
    and the nonce."""
    url, nonce = "https://hooks.example.com/webhooks/aggregate/plivo?b=2&a=1%2B1", "05429567804466091622"
    message = f"https://hooks.example.com/webhooks/aggregate/plivo?a=1+1&b=2.From123To456.{nonce}"
    token = VALUES["auth_token"][0]
    made = base64.b64encode(hmac.new(token.encode(), message.encode(), hashlib.sha256).digest()).decode()
    headers = {"x-plivo-signature-v3": made, "x-plivo-signature-v3-nonce": nonce}
    request = Request("POST", url, headers, b"To=456&From=123", accounts("plivo").at, "plivo")
    assert plivo.verify(request, VALUES) is True


def test_a_get_with_a_body_is_refused() -> None:
    """No signature covers it."""
    request = fixture("call_by_get")
    assert plivo.verify(request, VALUES) is True
    request.body = b"CallStatus=completed"
    with pytest.raises(InvalidSignature, match="body"):
        plivo.verify(request, VALUES)


def test_the_example_of_the_official_libraries_verifies() -> None:
    """V2's example, the same in those for Python, Ruby and .NET
    (https://github.com/plivo/plivo-python/blob/master/tests/resources/test_signature.py); another token's is refused."""
    headers = {
        "x-plivo-signature-v2": "ehV3IKhLysWBxC1sy8INm0qGoQYdYsHwuoKjsX7FsXc=",
        "x-plivo-signature-v2-nonce": "12345",
    }
    request = Request("POST", "https://answer.url", headers, b"", accounts("plivo").at, "plivo")
    assert plivo.verify(request, {"auth_token": ("my_auth_token",)}) is True
    with pytest.raises(InvalidSignature):
        plivo.verify(request, {"auth_token": ("my_auth_tokens",)})
