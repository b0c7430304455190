"""What `threadline doctor` says of a configuration, without any server."""

from pathlib import Path

import pytest

from adapters import ADAPTERS, PROVIDERS
from app.cli.doctor import RUNNING, _lines, doctor, servers, sources
from app.cli.doctor.finding import Finding
from app.embedded import ports
from app.kafka import LARGEST, TopicState
from app.kafka.fitting import too_small
from app.kafka.topics import TOPICS
from app.settings import Door, Kafka, Postgres, Settings, Source, Worker
from tests.fixtures import accounts


@pytest.mark.parametrize(
    ("source", "state", "says"),
    [
        (
            Source.model_validate({"auth_token": "secret-word", "account_sid": "AC1", "sender": "+15550001111"}),
            "ok",
            "has account_sid, auth_token, sender",
        ),
        (
            Source.model_validate({"auth_token": "secret-word"}),
            "note",
            "it only receives: the source has no account_sid, without which nothing can be sent",
        ),
        (Source(), "wrong", "all are refused"),
        (
            Source.model_validate({"account_sid": "AC1", "sender": "+15550001111"}),
            "wrong",
            "nothing to verify webhooks with",
        ),
        (Source(accept_unsigned=True), "look", "unsigned"),
        (Source(adapter="carrier_pigeon"), "wrong", "no adapter carrier_pigeon"),
    ],
)
async def test_a_source_is_judged_by_what_it_has(source: Source, state: str, says: str) -> None:
    """A missing or misspelt secret, and an adapter that does not exist, are found before a provider finds them."""
    first, *_ = [finding async for finding in sources.sources(Settings(sources={"twilio": source}))]

    assert (first.what, first.state) == ("Source twilio", state)
    assert says in first.found
    assert first.todo or state == "ok"
    assert "secret-word" not in str(first)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_provider_is_well_with_its_settings_and_not_without(provider: str) -> None:
    """With what its fixtures are verified by it is, but for what sending needs besides; without anything all webhooks would
    be refused, and nothing could be sent (by Web Push it could, without credentials)."""
    known = Source.model_validate({"adapter": provider, **accounts(provider).settings})
    (good,) = [each async for each in sources.sources(Settings(sources={"mine": known}))]
    assert good.state in (("ok", "note") if ADAPTERS[provider].events else ("ok",)), good
    (bare,) = [each async for each in sources.sources(Settings(sources={"mine": Source(adapter=provider)}))]
    assert bare.state == ("ok" if provider == "webpush" else "wrong"), bare


@pytest.mark.parametrize(
    ("settings", "by"),
    [
        ({"signature_secret": "s"}, "as the provider signs"),
        ({"url_secret": "k"}, "the caller's secret, not a signature"),
        ({"signature_secret": "s", "basic_auth": "u:p"}, "a signature, and the caller's secret where there is none"),
    ],
)
async def test_it_says_by_what_webhooks_are_verified(settings: dict[str, str], by: str) -> None:
    """A secret in the URL proves the caller and not the body, so the operator sees which of the two a source has."""
    source = Source.model_validate({"adapter": "vonage", **settings})
    (found,) = [each async for each in sources.sources(Settings(sources={"mine": source}))]
    assert f"verifies {by}" in found.found.split("; ")


async def test_what_does_not_answer_is_named(tmp_path: Path) -> None:
    """Each server that cannot be reached is one row, with what to do."""
    nobody = f"127.0.0.1:{ports.free()}"
    settings = Settings(
        data=tmp_path,
        postgres=Postgres.model_validate({"dsn": f"postgresql://u:hidden@{nobody}/x", "owner_dsn": None}),
        kafka=Kafka(bootstrap=nobody),
        door=Door(port=ports.free()),
        worker=Worker(port=ports.free()),
    )

    found = [finding for check in RUNNING for finding in [each async for each in check(settings)]]

    wrong = {finding.what for finding in found if finding.state == "wrong"}
    assert wrong == {"PostgreSQL, service role", "Migrations", "Kafka", "Door and API", "Worker"}
    assert all(finding.todo for finding in found if finding.state == "wrong")
    assert "hidden" not in str(found)


async def test_a_configuration_that_others_can_read_is_wrong(tmp_path: Path) -> None:
    """It holds secrets."""
    file = tmp_path / "threadline.toml"
    file.touch(mode=0o644)
    file.chmod(0o644)

    found = [finding async for finding in servers.machine(Settings(data=tmp_path))]

    assert Finding("Configuration", "wrong", f"others can read {file}", f"chmod 600 {file}") in found


async def test_little_room_on_the_disk_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both servers stop where the disk is full: it is reported before that."""
    monkeypatch.setattr(servers, "LEAST_FREE", 1 << 60)

    disk, *_ = [finding async for finding in servers.machine(Settings(data=tmp_path))]

    assert (disk.what, disk.state) == ("Disk", "wrong")
    assert str(tmp_path) in disk.found


def test_where_nothing_runs_it_says_how_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty folder is exit code 1 and the command that helps."""
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    assert doctor() == 1
    assert "threadline up" in capsys.readouterr().out


async def test_it_says_which_source_a_channel_uses() -> None:
    """The one that a client without a configuration sends by: not the one that only receives, though it stands first."""
    given = {
        "mailgun": Source.model_validate({"signing_key": "k"}),
        "postmark": Source.model_validate({"server_token": "t", "sender": "shop@example.com", "basic_auth": "u:p"}),
    }
    first, second = [each async for each in sources.sources(Settings(sources=given))]
    assert "sends email" not in first.found
    assert second.found.endswith("; client default sends email by it unless configured otherwise")


def test_topics_with_one_fault_are_one_row() -> None:
    """A limit that is too small in all topics is one fact, with one thing to do; so is any other setting."""
    first, second, third, fourth = TOPICS[:4]
    small = {LARGEST: ("1000", "2000")}
    states = [TopicState(one, 1, 1, differs=dict(small)) for one in (first, second)]
    states.append(TopicState(third, 1, 1, differs={"retention.ms": ("1", "2")}))
    states.append(TopicState(fourth, 1, 1, differs={"retention.ms": ("1", "2"), "partitions": ("1", "8")}))
    (limit,) = too_small(states)
    assert limit.startswith(f"{first.name}, {second.name} accept records of at most 1000 bytes")
    found = [(one.what, one.found) for one in servers._unlike(states)]
    assert found == [
        ("2 topics", f"retention.ms is 1, not 2, of {third.name}, {fourth.name}"),
        (fourth.name, "partitions is 1, not 8"),
    ]


def test_settings_that_are_not_in_use_come_first() -> None:
    """They explain what else is found."""
    findings = [Finding("Source a", "note", "x", "y"), Finding("Settings", "wrong", "changed", "restart")]
    lines = [str(line) for line in _lines(findings)]
    assert [line.split("\n")[0] for line in lines[:2]] == ["✗ Settings", "i Source a"]
