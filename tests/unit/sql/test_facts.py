"""The one list of an interaction's facts, and what is made of it."""

import re

from schemas.events import EVENT_TYPES
from sql.facts import CHANGES, FACTS
from sql.statements import statement


def test_each_type_states_one_fact() -> None:
    """Each is one of ours and states one fact; those left out belong to no interaction, or state no fact of one."""
    types = [type for fact in (*FACTS, *CHANGES) for type in (fact.event, fact.call_event) if type]

    assert len(types) == len(set(types))
    assert set(EVENT_TYPES) - set(types) == {
        "HandleLinked", "HandleUnlinked", "CustomersMerged", "CustomersSplit", "CustomerChangeUndone", "ErasureRequested",
        "CustomerErased", "ProviderEventReceived",
    }  # fmt: skip
    assert set(types) <= set(EVENT_TYPES)


def test_names_can_stand_in_sql() -> None:
    """They become columns and literals of statements, so they are plain words."""
    assert all(re.fullmatch("[a-z]+", fact.name) for fact in FACTS)
    assert all(re.fullmatch("'[A-Za-z]+'(, '[A-Za-z]+')?", fact.types) for fact in FACTS)


def test_every_statement_has_every_fact() -> None:
    """The fold reads, joins and writes each; what reads interactions gives each."""
    folding = ("append", "project", "move")
    for name in (*folding, "interaction", "timeline", "changes_since", "customer_changes"):
        text = statement(name).decode()
        assert "{" not in text.replace("'{}'", "")
        for fact in FACTS:
            assert fact.column in text
            if name in folding:
                assert f"min({fact.column}) AS {fact.column}," in text
                assert f"{fact.column} = least(i.{fact.column}, excluded.{fact.column})," in text


def test_a_fact_is_stated_by_its_types() -> None:
    """One type, or two where a call has its own."""
    text = statement("append").decode()

    assert "CASE WHEN e.type IN ('MessageFailed', 'CallFailed') THEN f.at END AS failed_at," in text
    assert "CASE WHEN e.type IN ('CallRecorded') THEN f.at END AS recorded_at," in text
