"""Which settings a running process takes over, and the digest by which what runs is compared."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agents.process.sources import SourceIds
from app.settings import Secrets, Settings
from app.settings.digest import digest
from app.settings.reloaded import RELOADED, changed, flat, is_reloaded, taken_over
from app.variables import fields_of

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def given(**sections: Any) -> Settings:
    """Settings with these sections, and a key."""
    return Settings.model_validate({"secrets": {"keys": [KEY]}, **sections})


def test_what_is_reloaded_are_settings() -> None:
    """Each name of the table exists."""
    names = {path for path, _ in fields_of(Settings)}
    assert {(section, name) for section, names in RELOADED.items() for name in names} <= names


def test_what_is_reloaded_is_taken_over_and_the_rest_stays() -> None:
    """A difference is named on the side that it belongs to."""
    before = given(door={"port": 1, "max_headers": 50}, sources={"a": {"adapter": "twilio", "auth_token": "x"}})
    read = given(
        door={"port": 2, "max_headers": 60}, api={"rate": 5, "metrics_port": 9}, sources={"b": {"adapter": "slack"}}
    )
    after = taken_over(before, read)
    assert (after.door.port, after.door.max_headers, after.api.rate, after.api.metrics_port) == (1, 60, 5, None)
    assert list(after.sources) == ["b"]
    assert changed(before, after, reloaded=True) == ["api.rate", "door.max_headers", "sources.a", "sources.b"]
    assert changed(before, read, reloaded=False) == ["api.metrics_port", "door.port"]
    assert changed(before, after, reloaded=False) == []
    assert before.door.max_headers == 50  # requests in progress hold it


def test_every_setting_is_on_one_side() -> None:
    """One that nobody has thought of needs a restart."""
    reloaded = {path for path in flat(given()) if is_reloaded(path)}
    assert len(reloaded) == sum(map(len, RELOADED.values()))
    assert ("kafka", "password") not in reloaded and ("relay", "from") in flat(given())


@pytest.mark.parametrize("keys", [[KEY], []])
@pytest.mark.parametrize(
    "other",
    [
        {"api": {"rate": 1}},
        {"sources": {"a": {"adapter": "twilio", "auth_token": "x", "account_sid": "AC2"}}},
        {"sources": {"a": {"adapter": "twilio", "account_sid": "AC1"}}},
        {"sources": {"a": {"adapter": "twilio", "auth_token": "x", "account_sid": "AC1", "client": "c"}}},
    ],
)
def test_the_digest_is_another_for_other_settings(keys: list[str], other: dict[str, Any]) -> None:
    """With and without a key."""
    base = {"sources": {"a": {"adapter": "twilio", "auth_token": "x", "account_sid": "AC1"}}, "secrets": {"keys": keys}}
    assert digest(given(**base)) == digest(given(**base)) != digest(given(**(base | other)))


def test_a_secret_is_in_the_digest_only_under_a_key() -> None:
    """Without a key nobody can try secrets against the digest: it is the same for all. What needs a restart is not in it."""

    def of(token: str, url: str, *keys: str) -> str:
        source = {"adapter": "twilio", "auth_token": token, "url": url}
        return digest(given(sources={"a": source}, secrets={"keys": list(keys)}, door={"port": len(token)}))

    assert of("x", "https://u:p@h/") == of("yy", "https://u:q@h/")
    other = KEY.replace("MDEy", "MDEz")
    assert len({of("x", "https://h/", KEY), of("y", "https://h/", KEY), of("x", "https://h/", other)}) == 3
    assert of("x", "https://h/", KEY) == digest(
        given(
            sources={"a": {"adapter": "twilio", "auth_token": "x", "url": "https://h/"}},
            secrets=Secrets(keys=[SecretStr(KEY), SecretStr(other)]),
            door={"port": 77},
        )
    )


def test_what_is_known_of_a_removed_source_stays_and_of_a_changed_one_does_not(tmp_path: Path) -> None:
    """Records of a removed one may still come; a changed one counts as it is now."""
    mail = {"adapter": "sendgrid"}
    ids = SourceIds(given(sources={"gone": mail | {"account": "main"}, "stays": mail | {"account": "main"}}))
    accounts, jobs = ids.accounts, ids.jobs
    ids.use(given(sources={"stays": mail, "new": mail | {"account": "other"}}))
    assert accounts is ids.accounts and jobs is ids.jobs  # the agents hold them
    assert accounts == {"gone": "sendgrid:main", "new": "sendgrid:other"}
    assert set(jobs) == {"gone", "stays", "new"}
