"""Whose webhook it is: by name, by what it looks like, by whose secret verifies."""

import base64
import hashlib
import hmac
import tracemalloc
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import ADAPTERS
from adapters.contract import Answer, Request
from app.settings import Source
from webhooks.recognise import Sources, UnknownSource, named

BODY = b'{"object":"whatsapp_business_account","entry":[]}'
DOOR = "https://hooks.example.com/webhooks/aggregate"


def meta(secret: str, url: str = DOOR) -> Request:
    signature = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    return Request("POST", url, {"x-hub-signature-256": f"sha256={signature}"}, BODY, datetime.now(UTC), "")


def twilio(token: str, signed_url: str, url: str) -> Request:
    digest = hmac.new(token.encode(), f"{signed_url}MessageSidSM1".encode(), hashlib.sha1).digest()
    headers = {
        "x-twilio-signature": base64.b64encode(digest).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }
    return Request("POST", url, headers, b"MessageSid=SM1", datetime.now(UTC), "")


def source(adapter: str | None = None, **fields: Any) -> Source:
    return Source(adapter=adapter, **fields)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (DOOR, None),
        (f"{DOOR}/", None),
        (f"{DOOR}/twilio", "twilio"),
        (f"{DOOR}/twilio/", "twilio"),
        (f"{DOOR}/shop%20eu", "shop eu"),
        (f"{DOOR}/twilio?source=other", "twilio"),
        (f"{DOOR}?source=twilio", "twilio"),
        (f"{DOOR}?a=1&source=twilio#x", "twilio"),
        (f"{DOOR}?resource=1", None),
        ("https://hooks.example.com/sms?source=campaign", None),
        ("/webhooks/aggregate/meta", "meta"),
    ],
)
def test_a_url_names_its_source_by_path_or_else_query(url: str, name: str | None) -> None:
    """The path is first; a query counts only at the door itself."""
    assert named(url) == name


def test_of_several_sources_of_one_adapter_that_one_is_it_whose_secret_verifies() -> None:
    """Two accounts at one provider need no names in their URLs."""
    sources = Sources(
        {"shop": source("whatsapp_cloud", app_secret="a"), "bank": source("whatsapp_cloud", app_secret="b")}
    )
    for secret, name in (("a", "shop"), ("b", "bank")):
        verdict = sources.recognise(meta(secret))
        assert (verdict.source, verdict.authentic, verdict.accepted, verdict.request.source) == (name, True, True, name)


def test_where_none_verifies_the_first_is_reported_with_its_reason() -> None:
    """A refusal names a source, so that the operator knows where to look."""
    sources = Sources(
        {"shop": source("whatsapp_cloud", app_secret="a"), "bank": source("whatsapp_cloud", app_secret="b")}
    )
    verdict = sources.recognise(meta("c"))
    assert (verdict.source, verdict.authentic, verdict.accepted) == ("shop", False, False)
    assert verdict.reason and "app_secret" in verdict.reason


def test_a_named_source_is_asked_alone() -> None:
    """A secret of one account does not open another."""
    sources = Sources(
        {"shop": source("whatsapp_cloud", app_secret="a"), "bank": source("whatsapp_cloud", app_secret="b")}
    )
    assert sources.recognise(meta("b", f"{DOOR}/shop")).authentic is False
    assert sources.recognise(meta("b"), "bank").authentic is True


def test_several_secrets_count_while_one_is_rotated() -> None:
    """The old and the new secret both verify."""
    sources = Sources({"whatsapp_cloud": source(app_secret=["new", "old"])})
    assert sources.recognise(meta("old")).authentic is True
    assert sources.recognise(meta("new")).authentic is True


def test_unknown_names_and_strangers_are_unknown() -> None:
    """A name that is not configured, and a request that no configured adapter knows, are 404s."""
    sources = Sources({"whatsapp_cloud": source(app_secret="a")})
    with pytest.raises(UnknownSource, match="nobody"):
        sources.recognise(meta("a", f"{DOOR}/nobody"))
    with pytest.raises(UnknownSource):
        sources.recognise(twilio("t", DOOR, DOOR))


def test_without_a_secret_nothing_is_accepted_unless_the_source_says_so() -> None:
    """What cannot be checked is refused by default."""
    refused = Sources({"whatsapp_cloud": source()}).recognise(meta("a"))
    assert (refused.authentic, refused.accepted) == (None, False)
    accepted = Sources({"whatsapp_cloud": source(accept_unsigned=True)}).recognise(meta("a"))
    assert (accepted.authentic, accepted.accepted) == (None, True)


def test_a_forgery_does_not_pass_as_unsigned() -> None:
    """Beside a source that checks, an unnamed request that fails the check is not kept for one that checks nothing."""
    sources = Sources(
        {"open": source("whatsapp_cloud", accept_unsigned=True), "bank": source("whatsapp_cloud", app_secret="b")}
    )
    forged = sources.recognise(meta("wrong"))
    assert (forged.source, forged.authentic, forged.accepted) == ("bank", False, False)
    assert sources.recognise(meta("b")).source == "bank"
    assert sources.recognise(meta("wrong"), "open").accepted


def test_an_empty_secret_is_no_secret() -> None:
    """A signature made with the empty key, which anyone can make, proves nothing."""
    verdict = Sources({"whatsapp_cloud": source(app_secret="")}).recognise(meta(""))
    assert (verdict.authentic, verdict.accepted) == (None, False)


@pytest.mark.parametrize(
    ("configured", "signed"),
    [
        ("https://shop.example.com", "https://shop.example.com/webhooks/aggregate?x=1"),
        ("https://shop.example.com/in/twilio", "https://shop.example.com/in/twilio?x=1"),
        ("https://shop.example.com/in/twilio", "https://shop.example.com/webhooks/aggregate?x=1"),
        ("https://shop.example.com/in?key=k", "https://shop.example.com/in?key=k"),
        ("https://shop.example.com:443/in", "https://shop.example.com/in?x=1"),
        ("https://shop.example.com/in", "https://shop.example.com:443/in?x=1"),
        ("https://shop.example.com:8443/in", "https://shop.example.com/in?x=1"),
    ],
)
def test_the_public_url_of_the_source_is_what_the_signature_is_checked_with(configured: str, signed: str) -> None:
    """Behind a proxy the process sees another host and path than the provider was given; with and without the port."""
    sources = Sources({"twilio": source(auth_token="t", url=configured)})
    verdict = sources.recognise(twilio("t", signed, "http://10.0.0.7:8080/webhooks/aggregate?x=1"))
    assert verdict.authentic is True


def test_a_handshake_is_answered_by_who_knows_its_token() -> None:
    """Of two accounts that one is answered whose verify_token it is; an unknown token is refused, none is not checked."""
    sources = Sources(
        {"shop": source("whatsapp_cloud", verify_token="a"), "bank": source("whatsapp_cloud", verify_token="b")}
    )

    def greeting(token: str) -> Request:
        url = f"{DOOR}?hub.mode=subscribe&hub.challenge=4%3C2&hub.verify_token={token}"
        return Request("GET", url, {}, b"", datetime.now(UTC), "")

    verdict = sources.recognise(greeting("b"))
    assert verdict.source == "bank"
    assert verdict.handshake is not None and verdict.handshake.body == b"4<2"
    refused = sources.recognise(greeting("c"))
    assert (refused.handshake, refused.authentic, refused.accepted) == (None, False, False)
    unset = Sources({"whatsapp_cloud": source(accept_unsigned=True)}).recognise(greeting("c"))
    assert (unset.handshake, unset.authentic, unset.accepted) == (None, None, False)


def test_a_source_of_no_adapter_is_a_mistake_in_the_settings() -> None:
    """The error comes at the start, with what there is."""
    with pytest.raises(ValueError, match="twilio"):
        Sources({"shop": source("twillio")})


def test_a_handshake_of_metas_is_answered_by_whose_token_it_is() -> None:
    """It does not say of which platform it is: WhatsApp, Messenger and Instagram ask alike, at the same door."""
    names = [name for name in ("whatsapp_cloud", "facebook_messenger", "instagram") if name in ADAPTERS]
    sources = Sources({name: source(verify_token=f"token of {name}") for name in names})
    for name in names:
        url = f"{DOOR}?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=token%20of%20{name}"
        verdict = sources.recognise(Request("GET", url, {}, b"", datetime.now(UTC), ""))
        assert (verdict.source, verdict.handshake) == (name, Answer(200, b"1158201444"))
    stranger = Request("GET", f"{DOOR}?hub.mode=subscribe&hub.verify_token=x", {}, b"", datetime.now(UTC), "")
    refused = sources.recognise(stranger)
    assert (refused.handshake, refused.accepted) == (None, False)


def test_long_urls_are_not_remembered() -> None:
    """Anyone can make up any number of them: what is remembered of URLs is bounded in bytes."""
    given = {"auth_token": "x" * 32, "url": "https://hooks.example.com/webhooks/aggregate"}
    sources = Sources({"twilio": Source.model_validate(given)})
    tracemalloc.start()
    try:
        for n in range(600):
            url = f"http://127.0.0.1/webhooks/aggregate/twilio?{n}={'y' * 8000}"
            headers = {"x-twilio-signature": "AAAA", "content-type": "application/x-www-form-urlencoded"}
            sources.recognise(Request("POST", url, headers, b"a=1", datetime.now(UTC), ""))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 5 << 20  # the standard library remembers 128 of what it split
