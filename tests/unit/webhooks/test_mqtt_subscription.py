"""The settings of an MQTT source are read, and an invalid one is named."""

import sys
from pathlib import Path
from subprocess import run

import pytest

from webhooks.mqtt.posting import Publication, headers_of
from webhooks.mqtt.subscription import WrongSetting, subscription_of

BASE = "http://127.0.0.1:8080"
SAID = {"broker": ("mqtts://ana:p%40ss@broker.example.com",), "subscribe": ("devices/+/up", "things/#")}


def test_an_account_is_read() -> None:
    """Port, user and client id have defaults; the secrets of the door go along with each post."""
    account = subscription_of("fleet one", SAID | {"url_secret": ("a&b",), "basic_auth": ("u:p",)}, BASE)
    assert (account.host, account.port, account.filters) == ("broker.example.com", 8883, ("devices/+/up", "things/#"))
    assert (account.username, account.password, account.version) == ("ana", "p@ss", "5")
    assert account.tls is not None and account.client_id == "threadline-fleet one"
    assert account.url == f"{BASE}/webhooks/aggregate/fleet%20one?key=a%26b"
    assert account.headers == {"authorization": "Basic dTpw"}
    plain = subscription_of("fleet", SAID | {"broker": ("mqtt://[::1]:1884",), "client_id": ("us",)}, BASE)
    assert (plain.host, plain.port, plain.tls, plain.client_id) == ("::1", 1884, None, "us")
    assert plain.username is None and plain.headers == {} and plain.url == f"{BASE}/webhooks/aggregate/fleet"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broker", ""),
        ("broker", "broker.example.com"),
        ("broker", "https://broker.example.com"),
        ("broker", "mqtt://broker.example.com:99999"),
        ("subscribe", ""),
        ("protocol", "4"),
        ("ca_file", "/nowhere/ca.pem"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_reported(name: str, value: str) -> None:
    """By its name."""
    with pytest.raises(WrongSetting, match=name):
        subscription_of("fleet", SAID | {name: (value,)}, BASE)


def test_a_publication_becomes_a_request() -> None:
    """Whatever is in a topic or a property, the headers are ASCII without line ends."""
    one = Publication("a/Küche\r\nx", b'{"a":1}', 1, 7, 0, True, [("k\n", "v&w"), ("k\n", "ä")], id="i")
    assert headers_of(one) == {
        "content-type": "application/json",
        "x-mqtt-topic": "a/K%C3%BCche%0D%0Ax",
        "x-mqtt-qos": "1",
        "x-mqtt-retain": "1",
        "x-mqtt-id": "i",
        "x-mqtt-properties": "k%0A=v%26w&k%0A=%C3%A4",
    }
    one.payload, one.properties = b"\xff", [("k", "v" * 20_000)]
    assert headers_of(one)["content-type"] == "application/octet-stream" and "x-mqtt-properties" not in headers_of(one)


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    """With exit code 2: no source, none of the name, a source without a broker."""
    (tmp_path / "threadline.toml").write_text('[sources.fleet]\nadapter = "mqtt"\nurl_secret = "x"\n')
    for words, reported in (((), "no source"), (("--source", "x"), "'x'"), (("--source", "fleet"), "fleet.broker")):
        done = run(
            [sys.executable, "-m", "app", "mqtt", *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={"THREADLINE_DATA": str(tmp_path), "PATH": "/usr/bin:/bin"},
        )
        assert (done.returncode, reported in done.stderr) == (2, True), done.stderr
