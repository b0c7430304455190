"""The page of the event types says what the schemas and the code say."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import events
from app.cli.program import program
from schemas import REPORTABLE, RESERVED, SCHEMAS, validate
from schemas.events import EVENT_TYPES
from schemas.personal import personal_paths

ROOT = Path(__file__).parents[3]


def described(*arguments: str) -> Any:
    """The JSON that `threadline events` prints."""
    ran = CliRunner().invoke(program, ["events", *arguments, "--json"])
    assert ran.exit_code == 0
    return json.loads(ran.stdout)


def test_the_page_is_what_the_schemas_say() -> None:
    """`threadline events --markdown > docs/events.md` changes nothing."""
    assert (ROOT / "docs" / "events.md").read_text("utf-8") == events.page()


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_the_example_of_a_type_fits_its_schema(type: str) -> None:
    """For a type that services may report it is a whole report, too."""
    for example in SCHEMAS[type]["examples"]:
        validate(type, example, "reported" if type in REPORTABLE else None)


def test_every_type_is_described() -> None:
    """With its fields, whether they are personal, and who writes it; a reserved type is not for services."""
    found = {one["type"]: one for one in described()}
    assert list(found) == list(EVENT_TYPES)
    for type, one in found.items():
        whole = {path[0] for path in personal_paths(type) if len(path) == 1}
        partly = {path[0] for path in personal_paths(type)} - whole
        for field in one["fields"]:
            name = field["name"]
            expected = "yes" if name in whole else "in part" if name in partly else "no"
            assert field["personal"] == expected, (type, name)
        assert any("services" in writer for writer in one["writtenBy"]) == (type not in RESERVED)


def test_who_writes_a_type_is_read_from_the_code() -> None:
    """Threadline where its states, consents and links make it; adapters by their lists of events."""
    found = {one["type"]: one["writtenBy"] for one in described()}
    assert found["MessageRequested"] == ["Threadline"]
    assert found["CustomersMerged"] == []
    assert found["HandleLinked"] == ["Threadline"]
    assert found["RecipientUnsubscribed"][0] == "Threadline"
    assert found["MessageClicked"][0].endswith("providers' adapters")


def test_what_a_report_must_have_is_said() -> None:
    """In words, from the `reported` form."""
    (sent,) = described("message.sent")
    assert sent["required"] == "`messageId`; one of `userId`, `handle`, `to`"
    (merged,) = described("CustomersMerged")
    assert merged["required"] == "`customerId`, `customerIds`, `moved`, `kept`, `evidence`"


def test_one_type_is_shown_in_full_and_an_unknown_one_refused() -> None:
    """By its name or its dotted name; else the names that there are."""
    ran = CliRunner().invoke(program, ["events", "MessageDelivered"])
    assert ran.exit_code == 0
    assert "urn:threadline:schema:MessageDelivered:1" in ran.stdout and "order-1001" in ran.stdout
    wrong = CliRunner().invoke(program, ["events", "MessageEaten"])
    assert wrong.exit_code == 2 and "MessageDelivered" in wrong.stderr
