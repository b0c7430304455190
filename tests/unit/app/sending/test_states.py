"""The table of a message's states is whole, and what else names states agrees with it."""

import re
from pathlib import Path

import pytest

from agents.sender import guards
from agents.sender.claimed import HOLD, Recovery
from app.api import message, message_list
from app.clients.configured import Route
from app.sending import states
from app.sending.states import NEW, STATES, TRANSITIONS, NoTransition, transition
from tests.unit.agents.test_moves import claimed

ROOT = Path(__file__).parents[4]
QUERIES = ROOT / "sql" / "queries"


def listed(text: str, column: str = "state") -> list[set[str]]:
    """The states of each list of a column in SQL."""
    found = re.findall(rf"\b{re.escape(column)} IN\s*\(([^()]*)\)", text)
    return [set(re.findall(r"'([a-z]+)'", each)) for each in found]


def leaving(by: str, after: str | None = None) -> set[str]:
    """The states that a statement's transitions leave."""
    return {state for each in TRANSITIONS if each.by == by and after in (None, each.after) for state in each.before}


def test_every_state_is_reached_and_every_word_is_known() -> None:
    """No transition names a state that is not there; each state has a way in; those without a way out are final."""
    assert {each.after for each in TRANSITIONS} == set(STATES)
    assert {state for each in TRANSITIONS for state in each.before} <= {NEW, *STATES}
    assert set(states.FINAL) == {"sent", "failed", "expired", "cancelled"}
    assert all((QUERIES / f"{each.by}.sql").exists() for each in TRANSITIONS if each.by != "sender")


def test_each_happening_ends_in_a_row_that_always_holds() -> None:
    """So that the sender knows what to do whatever the guards say; no row stands behind it."""
    for (state, happened), rows in states.BY_SENDER.items():
        assert [each.guard for each in rows].index("") == len(rows) - 1, (state, happened)


def test_the_sender_knows_every_guard() -> None:
    """Each of the table's guards is evaluated."""
    own, route = claimed(), Route("whatsapp", "meta")
    for before, happened in states.BY_SENDER:
        guards.transition_of(claimed(was=before), happened, route, HOLD)
    assert guards.transition_of(own, "unanswered", route, Recovery(ask_after=1.0)).guard == "the provider can be asked"


def test_what_the_table_does_not_have_raises() -> None:
    """A final state is left by nothing, and an unknown happening moves nothing."""
    with pytest.raises(NoTransition):
        transition("sent", "accepted", lambda guard: True)
    with pytest.raises(NoTransition):
        transition("sending", "forgotten", lambda guard: True)


def test_the_schema_has_the_same_states() -> None:
    """The CHECK names all; those that wait are those that a worker can claim."""
    waiting, check = listed((ROOT / "sql/migrations/0008_messages.sql").read_text("utf-8"))[:2]
    assert check == set(STATES)
    assert waiting == leaving("claim")


def test_the_statements_make_the_same_transitions() -> None:
    """What each statement's lists of states say is what the table says of it."""
    text = {name: (QUERIES / f"{name}.sql").read_text("utf-8") for name in ("cancel", "settle", "release", "sweep")}
    assert listed(text["cancel"], "before.state") == [leaving("cancel")]
    settled = listed(text["settle"], "m.state")
    assert settled == [{"sending", "watched"}, leaving("settle", "sent")]
    assert leaving("settle", "watched") == leaving("settle", "sent")
    assert listed(text["settle"], "given.state") == [{"retrying", "held"}, {"sent", "watched"}]
    bulk = {name: (QUERIES / f"{name}_messages.sql").read_text("utf-8") for name in ("cancel", "release")}
    assert listed(bulk["cancel"], "state") == [leaving("cancel", "cancelled")]
    assert listed(bulk["release"], "state") == [leaving("release")]
    for name in ("release", "sweep"):
        assert set(re.findall(r"\.state = '([a-z]+)'", text[name])) == leaving(name)


def test_the_api_has_the_same_states() -> None:
    """It shows all, and lists the queued ones and those that `messages_in_state` has: neither what is being sent nor what
    was sent."""
    (query,) = listed((QUERIES / "messages_in_state.sql").read_text("utf-8"), "m.state")
    assert query | {"queued"} == set(message_list.LISTED) == set(STATES) - {"sending", "watched", "sent"}
    assert set(message.STATES) == set(STATES) - {"watched"}


def test_the_page_has_the_table() -> None:
    """docs/sending.md is what `python -m app.sending.states` prints."""
    page = (ROOT / "docs" / "sending.md").read_text("utf-8")
    tables = states.page().strip().split("\n\n")
    assert len(tables) == 2 and all(f"\n\n{table}\n" in page for table in tables)
