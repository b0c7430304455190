"""What providers state of one person links its handles, in one place for all of them."""

import json
from typing import Any

import pytest

from app.linking import MOST, linked, links_of
from schemas import validate
from schemas.events import Event, Handle
from tests.fixtures import FOLDER

NUMBER, USER = Handle("phone", "+15551234567"), Handle("whatsapp_user_id", "US.1")


def told(*others: Handle, handle: Handle | None = NUMBER, id: str = "1", source: str = "whatsapp_cloud") -> Event:
    """A message of somebody with other handles."""
    stated = [{"kind": one.kind, "value": one.value} for one in others]
    return Event("MessageReceived", source, id, handle=handle, payload={"handles": stated})


def pairs(event: Event) -> list[tuple[str, str]]:
    """The values that are linked."""
    return [(one.payload["handles"][0]["value"], one.payload["handles"][1]["value"]) for one in linked(event)]


def test_a_link_names_both_and_its_evidence() -> None:
    """A valid event with both handles in order; the same whichever event states it, and whichever of the two comes first."""
    (link,) = linked(told(USER))
    assert link.type == "HandleLinked" and link.source == "whatsapp_cloud" and link.handle == NUMBER
    assert link.occurred_at is None and link.provider_message_id is None
    assert link.payload == {
        "handles": [{"kind": "phone", "value": "+15551234567"}, {"kind": "whatsapp_user_id", "value": "US.1"}],
        "evidence": {"kind": "provider_states_both"},
    }
    validate(link.type, link.payload)
    assert linked(told(NUMBER, handle=USER, id="2")) == [link]
    (service,) = linked(told(USER, source="crm"), "client_api")
    assert service.payload["evidence"] == {"kind": "client_api"}
    validate(service.type, service.payload)
    assert links_of([told(USER), told(USER, id="2")]) == [link]
    assert linked(link) == []


def test_another_spelling_in_the_answer_to_a_send_is_the_same_handle() -> None:
    """A provider that names the number that we dialled otherwise states one handle; with an id of its own it states two."""
    other = Handle("phone", "+15557654321")
    links = linked(told(other, USER, source="threadline"))
    assert [link.payload["evidence"]["kind"] for link in links] == ["same_handle", "provider_states_both"]
    for link in links:
        validate(link.type, link.payload)


def test_spellings_are_one() -> None:
    """Two spellings of a number are one handle, which is not linked with itself."""
    assert pairs(told(Handle("phone", "+551187654321"), handle=Handle("phone", "+5511987654321"))) == []
    assert pairs(told(USER, handle=Handle("phone", "+551187654321"))) == [("+5511987654321", "US.1")]


def test_without_a_handle_of_its_own_the_first_is_linked_with_the_others() -> None:
    """A notice about somebody, with both names of him in `handles`."""
    assert pairs(told(NUMBER, USER, handle=None)) == [("+15551234567", "US.1")]


@pytest.mark.parametrize(
    "other",
    [
        Handle("short_code", "12345"), Handle("alphanumeric", "SHOP"), Handle("other", "x"), Handle("user_id", "anonymous"),
        Handle("user_id", "NULL"), Handle("user_id", "0"), Handle("user_id", "[object Object]"),
        *(Handle("user_id", word) for word in (
            "N/A", "n/a", "-", "--", "?", "(null)", "[]", "{}", "000", "-1", "1111", "{{customer.id}}", "${userId}", "{user_id}",
            "<id>", "%user%", "guest_user", "anonymous-user", "Unknown User", "visitor", "admin", "xxx", "no_id",
            "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
        )),
        *(Handle("email", f"{local}@example.com") for local in (
            "noreply", "no-reply", "donotreply", "do_not_reply", "none", "office", "info", "support", "support+42", "sales",
            "admin", "contact", "mailer-daemon", "null",
        )),
        *(Handle("phone", number) for number in ("+10000000000", "+11111111111", "+15555555555", "+4400000000")),
        *(Handle("chat_id", chat) for chat in ("intercom:null", "telegram:0", "slack:None/None", "slack:T1/undefined")),
        Handle("device_token", "undefined"), Handle("device_token", "00000000-0000-0000-0000-000000000000"),
        Handle("whatsapp_user_id", "null"),
    ],
)  # fmt: skip
def test_what_many_people_have_links_nobody(other: Handle) -> None:
    """Neither on the one side nor on the other."""
    assert linked(told(other)) == []
    assert linked(told(NUMBER, handle=other)) == []


@pytest.mark.parametrize(
    "other",
    [
        Handle("user_id", "1"), Handle("user_id", "7"), Handle("user_id", "100"), Handle("user_id", "nadia"),
        Handle("email", "information@example.com"), Handle("email", "ana.admin@example.com"),
        Handle("phone", "+13055555555"), Handle("phone", "+4922222"), Handle("chat_id", "slack:T1/U1"),
        Handle("chat_id", "telegram:7"), Handle("device_token", "a0000000"),
    ],
)  # fmt: skip
def test_what_only_looks_so_links(other: Handle) -> None:
    """Ids and addresses that one person may have."""
    assert len(linked(told(other))) == 1


def test_our_own_address_links_nobody() -> None:
    """The number at which a message arrived, or from which it went out, is not the customer's, in any spelling."""
    ours, spelled = Handle("phone", "+5511987654321"), "+551187654321"
    for direction, key in (("inbound", "to"), ("outbound", "from")):
        event = told(USER, ours)
        event.direction = direction
        event.payload[key] = ours.value
        assert pairs(event) == [("+15551234567", "US.1")]
        event.payload["handles"][1]["value"] = event.payload[key] = spelled
        assert pairs(event) == [("+15551234567", "US.1")]


def test_user_ids_of_one_notice_are_linked_with_each_other() -> None:
    """The new and the former id of a user, beside the number."""
    former = Handle("whatsapp_user_id", "US.0")
    assert pairs(told(USER, former)) == [("+15551234567", "US.1"), ("+15551234567", "US.0"), ("US.0", "US.1")]


@pytest.mark.parametrize(
    "stated",
    [None, {}, "x", [], [1, None, {}], [{"kind": "phone", "value": "no"}], [{"kind": "nonsense", "value": "x"}]],
)
def test_nonsense_links_nothing(stated: Any) -> None:
    """Whatever a payload has."""
    assert linked(Event("MessageReceived", "a", "1", handle=NUMBER, payload={"handles": stated})) == []


def test_a_person_has_so_many_handles_and_no_more() -> None:
    """Those beyond are not linked."""
    assert len(linked(told(*(Handle("email", f"a{n}@example.com") for n in range(90))))) == MOST


#: Adapters whose fixtures state several handles of one person.
STATING = {"customerio", "gupshup", "infobip", "intercom", "onesignal", "slack", "twilio", "whatsapp_cloud"}


def test_the_adapters_state_handles_of_persons() -> None:
    """Every fixture's `handles` are of one person by their kinds: no channel, no group, none that is ours."""
    stating = set()
    for file in sorted(FOLDER.glob("*/*.json")):
        if file.stem == "settings" or file.parent.name == "envelope":
            continue
        for one in json.loads(file.read_text("utf-8")):
            if "handles" not in one.get("payload", {}):
                continue
            stating.add(file.parent.name)
            handle = Handle(**one["handle"]) if "handle" in one else None
            links = linked(
                Event(
                    one["type"],
                    one["source"],
                    one["source_event_id"],
                    direction=one.get("direction"),
                    handle=handle,
                    payload=one["payload"],
                )
            )
            assert links, file
            kinds = {each["kind"] for link in links for each in link.payload["handles"]}
            assert kinds <= {"phone", "email", "user_id", "whatsapp_user_id", "chat_id", "device_token"}, file
    assert stating >= STATING
