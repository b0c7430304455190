"""The settings of TLS at the door: which are refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.http.listening.tls import TlsUnusable, names_of, server_context
from app.kafka.fitting import unfit
from app.settings import Settings, Tls
from tests.support.certificate import Authority


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"certificate": "c.pem"}, "certificate and key belong together"),
        ({"key": "k.pem"}, "certificate and key belong together"),
        ({"client_ca": "ca.pem"}, "client_ca needs certificate and key"),
    ],
)
def test_half_of_it_is_refused(given: dict[str, str], says: str) -> None:
    """A certificate without key, a key without certificate, a CA without either."""
    with pytest.raises(ValidationError, match=says):
        Tls.model_validate(given)


def test_names_of_clients_need_a_ca() -> None:
    """Else no caller would ever have one, and every webhook of the source would be refused."""
    source: dict[str, Any] = {"twilio": {"auth_token": "t", "client_names": ["a.example.com"]}}
    assert unfit(Settings.model_validate({"kafka": {"bootstrap": "k:1"}, "sources": source})) == [
        "sources.twilio.client_names needs door.tls.client_ca: without it no caller has a verified certificate"
    ]


def test_a_file_that_cannot_be_used_is_named_by_its_setting(tmp_path: Path) -> None:
    """One that is missing, one that is no PEM; without its content."""
    certificate, key = Authority(tmp_path).issue("door")
    text = tmp_path / "hidden.pem"
    text.write_text("hidden")
    for given, says in (
        (
            {"certificate": tmp_path / "none", "key": key},
            "door.tls.certificate or door.tls.key cannot be read: No such file",
        ),
        ({"certificate": certificate, "key": text}, "door.tls.certificate and door.tls.key cannot be used together"),
        ({"certificate": certificate, "key": key, "client_ca": text}, "door.tls.client_ca has no certificate in PEM"),
        ({"certificate": certificate, "key": key, "client_ca": tmp_path / "none"}, "door.tls.client_ca cannot be read"),
    ):
        with pytest.raises(TlsUnusable) as refused:
            server_context(Tls.model_validate(given))
        assert str(refused.value).startswith(says)
        assert "hidden" not in str(refused.value)
    assert server_context(Tls()) is None


def test_the_names_of_a_certificate() -> None:
    """Those of the subject alternative name, if it has any of the kinds that count; else the common name."""
    subject = ((("commonName", "common"),),)
    alternative = (("DNS", "a.example.com"), ("URI", "spiffe://x/y"), ("IP Address", "127.0.0.1"))
    assert names_of({"subject": subject, "subjectAltName": alternative}) == {"a.example.com", "spiffe://x/y"}
    assert names_of({"subject": subject}) == {"common"}
    assert names_of(None) == names_of({}) == frozenset()
