"""The schema files themselves, and what `validate` makes of payloads."""

import time
import timeit
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from schemas import REPORTABLE, RESERVED, SCHEMAS, SchemaError, resolve, schema_of, validate
from schemas.events import CHANNELS, DIRECTIONS, EVENT_TYPES, HANDLE_KINDS, MAX_ID, REASONS
from schemas.handles import MAX_LENGTH
from schemas.personal import REQUEST, personal_paths

UUID = "0b0c7bd6-6c7e-4f5e-9d1f-0e9c5f1f6a10"
#: The schemas that describe no event.
DOCUMENTS = ("account", "client", "request")
DEFINITIONS = SCHEMAS["definitions"]["$defs"]

FITS: list[tuple[str, dict[str, Any]]] = [
    ("MessageDelivered", {"messageId": "m1", "timestamp": "2025-11-21T03:42:00Z"}),
    ("MessageDelivered", {"timestamp": "2025-11-21T03:42:00.123456+01:00"}),
    ("UserMessageSent", {"userId": "42", "channel": "chat", "messageId": "m1"}),
    ("UserMessageSent", {"SmsSid": "SM1", "keys": {"nobody": ["knows"]}}),
    (
        "MessageReceived",
        {"from": "+1", "content": {"text": "", "media": [{"type": "image/jpeg", "url": "https://x.example"}]}},
    ),
    ("MessageFailed", {"error": {"code": 30003, "text": "unreachable", "reason": "unreachable"}}),
    ("MessageDelivered", {"price": {"amount": "-0.0075", "currency": "USD"}, "segments": 1}),
    ("ProviderEventReceived", {"native": ["anything", None, 1.5]}),
    (
        "HandleLinked",
        {
            "handles": [{"kind": "phone", "value": "+15551234567"}, {"kind": "whatsapp_user_id", "value": "US.1"}],
            "evidence": {"kind": "provider_states_both"},
        },
    ),
]
FAULTS: list[tuple[str, Any, str, str]] = [
    ("MessageReceived", {"content": "hello"}, "$.content", "must be an object, not a string"),
    ("MessageReceived", {"content": {"text": 1}}, "$.content.text", "must be a string, not a number"),
    ("MessageReceived", {"content": {"media": [{"url": "u"}, {"url": None}]}}, "$.content.media[1].url", "not null"),
    (
        "MessageReceived",
        {"content": {"text": "x" * (1 << 20) + "x"}},
        "$.content.text",
        "has more than 1048576 characters",
    ),
    (
        "MessageReceived",
        {"content": {"location": {"latitude": 91, "longitude": 0}}},
        "$.content.location.latitude",
        "at most 90",
    ),
    ("MessageReceived", {"content": {"location": {"latitude": 9}}}, "$.content.location.longitude", "is required"),
    ("MessageReceived", {"channel": "pigeon"}, "$.channel", "must be one of: sms, email"),
    ("MessageDelivered", {"messageId": ""}, "$.messageId", "must not be empty"),
    ("MessageDelivered", {"messageId": 7}, "$.messageId", "must be a string, not a number"),
    ("MessageDelivered", {"timestamp": "yesterday"}, "$.timestamp", "RFC 3339"),
    ("MessageDelivered", {"timestamp": "2025-11-21"}, "$.timestamp", "RFC 3339"),
    ("MessageDelivered", {"timestamp": "2025-11-21T03:42:00"}, "$.timestamp", "RFC 3339"),
    ("MessageDelivered", {"timestamp": "2025-13-21T03:42:00Z"}, "$.timestamp", "RFC 3339"),
    ("MessageDelivered", {"timestamp": 1763696520}, "$.timestamp", "must be a string, not a number"),
    ("MessageFailed", {"error": {"reason": "bad luck"}}, "$.error.reason", "must be one of: invalid_address"),
    ("MessageDelivered", {"segments": -1}, "$.segments", "must be at least 0"),
    ("MessageDelivered", {f"k{i}": i for i in range(300)}, "$", "more than 256 keys"),
    ("HandleLinked", {"evidence": {"kind": "provider_states_both"}}, "$.handles", "is required"),
    ("MessageDelivered", [], "$", "must be an object, not a list"),
    ("MessageDelivered", None, "$", "must be an object, not null"),
    ("MessageDelivered", {1: 2}, "$", "cannot be written as JSON"),
    ("MessageEaten", {}, "$", "no event type 'MessageEaten'"),
    ("definitions", {}, "$", "no event type 'definitions'"),
]
UNSAID: list[tuple[str, dict[str, Any], str, str]] = [
    ("UserMessageSent", {"userId": "42"}, "$.messageId", "is required"),
    ("UserMessageSent", {"messageId": "m1"}, "$", "needs one of: userId, handle, to"),
    ("MessageDelivered", {"timestamp": "2025-11-21T03:42:00Z"}, "$", "needs one of: messageId, providerMessageId"),
    ("MessageReceived", {"userId": "42"}, "$.channel", "is required"),
    ("MessageHeld", {"messageId": "m1"}, "$", "only Threadline holds messages"),
]


@pytest.mark.parametrize("name", ["definitions", *DOCUMENTS, *EVENT_TYPES])
def test_a_schema_is_itself_valid_and_says_what_it_is(name: str) -> None:
    """Every event type has a schema that the 2020-12 meta-schema accepts, with its id, title, description, version."""
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:threadline:schema:{name}:{schema['version']}"
    assert schema["title"] and schema["description"].endswith(".")


def test_there_is_a_schema_for_each_type_and_no_other() -> None:
    """The files are those of the event types, and one of shared definitions."""
    assert set(SCHEMAS) == {"definitions", *DOCUMENTS, *EVENT_TYPES}


def test_every_property_is_described() -> None:
    """Each property of a type and each definition says what it is."""
    undescribed = [name for name, part in DEFINITIONS.items() if not part.get("description")]
    for name in EVENT_TYPES:
        for key, part in SCHEMAS[name]["properties"].items():
            if not (part.get("description") or resolve(part["$ref"]).get("description")):
                undescribed.append(f"{name}.{key}")
    assert undescribed == []


def test_the_names_in_the_schemas_are_the_names_in_python() -> None:
    """Channels, directions, reasons and kinds of handle are the same in the schemas as in `schemas.events`."""
    assert DEFINITIONS["channel"]["enum"] == list(CHANNELS)
    assert DEFINITIONS["direction"]["enum"] == list(DIRECTIONS)
    assert DEFINITIONS["error"]["properties"]["reason"]["enum"] == list(REASONS)
    assert DEFINITIONS["handle"]["properties"]["kind"]["enum"] == list(HANDLE_KINDS)


def test_the_lengths_in_the_schemas_are_those_in_python() -> None:
    """The maximum lengths of ids and of a handle's value are the same in the schemas as in Python."""
    definitions = SCHEMAS["definitions"]["$defs"]

    assert definitions["messageId"]["maxLength"] == definitions["providerMessageId"]["maxLength"] == MAX_ID
    assert definitions["handle"]["properties"]["value"]["maxLength"] == MAX_LENGTH


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_is_either_reportable_or_reserved_with_a_reason(name: str) -> None:
    """A type says what a service must say of it, or why no service may."""
    assert ("reported" in SCHEMAS[name].get("$defs", {})) == (name in REPORTABLE) == (name not in RESERVED)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_personal_properties_are_marked_in_every_type(name: str) -> None:
    """Wherever a payload has an address or a content, it has the mark."""
    marked = personal_paths(name)
    assert {("content",), ("from",), ("to",), ("userId",), ("displayName",), ("native",)} <= set(marked)
    assert {("handle", "value"), ("error", "text"), ("ip",), ("userAgent",), ("url",)} <= set(marked)
    assert {("*",), ("error", "*"), ("handles", "*", "value"), ("username",)} <= set(marked)
    assert {("handle", "*"), ("handles", "*", "*"), ("price", "*")} <= set(marked)
    assert not {("messageId",), ("channel",), ("price",), ("error", "code")} & set(marked)


@pytest.mark.parametrize("name", [*EVENT_TYPES, REQUEST])
def test_every_mark_of_a_schema_is_found(name: str) -> None:
    """None stands under a keyword that the search for marks does not follow, such as `anyOf`."""
    followed = {"properties", "allOf", "items", "additionalProperties", "unevaluatedProperties", "$ref"}

    def marked(schema: Any) -> bool:
        if isinstance(schema, list):
            return any(map(marked, schema))
        return isinstance(schema, dict) and (schema.get("x-personal") is True or any(map(marked, schema.values())))

    def unfollowed(schema: Any) -> list[str]:
        if not isinstance(schema, dict) or schema.get("x-personal"):
            return []
        found = [keyword for keyword, part in schema.items() if keyword not in followed and marked(part)]
        inner = [*schema.get("properties", {}).values(), *schema.get("allOf", ())]
        inner += [schema[keyword] for keyword in followed - {"properties", "allOf", "$ref"} if keyword in schema]
        inner += [resolve(schema["$ref"])] if "$ref" in schema else []
        return found + [one for part in inner for one in unfollowed(part)]

    assert unfollowed(SCHEMAS[name]) == []


@pytest.mark.parametrize(("name", "payload"), FITS)
def test_what_providers_and_services_say_fits(name: str, payload: dict[str, Any]) -> None:
    """A payload of the right types passes, unknown keys and all."""
    validate(name, payload)


@pytest.mark.parametrize(("name", "payload", "path", "words"), FAULTS)
def test_a_fault_is_named_by_its_path_and_worded_for_people(name: str, payload: Any, path: str, words: str) -> None:
    """Nonsense is refused with the JSONPath of the fault and what is wanted there."""
    with pytest.raises(SchemaError) as caught:
        validate(name, payload)
    assert caught.value.path == path
    assert words in caught.value.message
    assert str(caught.value) == f"{path}: {caught.value.message}"


@pytest.mark.parametrize(("name", "payload", "path", "words"), UNSAID)
def test_a_service_must_say_what_its_report_is_about(name: str, payload: dict[str, Any], path: str, words: str) -> None:
    """A report lacks nothing that it needs to be placed, though the payload alone would fit; reserved types are refused."""
    validate(name, payload)
    with pytest.raises(SchemaError) as caught:
        validate(name, payload, "reported")
    assert (caught.value.path, words in caught.value.message) == (path, True)


def test_a_relay_need_not_know_the_user() -> None:
    """An envelope of a provider's `sent` has no user id, and is identified by the message's id alone."""
    validate("UserMessageSent", {"messageId": "m1"}, "relayed")
    with pytest.raises(SchemaError, match="needs one of: messageId, providerMessageId"):
        validate("UserMessageSent", {"userId": "42"}, "relayed")


def test_a_fault_never_repeats_what_was_said() -> None:
    """The words of a fault go to logs, so a value that may be personal is not in them."""
    for payload in ({"channel": "secret"}, {"timestamp": "secret"}, {"content": "secret"}, {"customerId": "secret"}):
        with pytest.raises(SchemaError) as caught:
            validate("CustomerErased", payload | {"customerId": "secret"})
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "payload",
    [
        {f"k{i}": "x" for i in range(60_000)},
        {"handles": [{"kind": "phone"} for _ in range(60_000)], "messageId": "m"},
        {"content": {"media": [5] * 60_000}, "messageId": "m"},
    ],
    ids=["keys", "a list of faults", "a nested list of faults"],
)
def test_wording_a_fault_takes_time_by_the_size_at_most(payload: dict[str, Any]) -> None:
    """A megabyte's fault is named by a look at each key, never by a look at all of them for each, which took half a
    minute. Processor time of this thread, and twenty times what it takes: a busy machine changes nothing."""
    with pytest.raises(SchemaError):
        validate("MessageDelivered", {"messageId": 5})  # what is made once is made
    began = time.thread_time()
    with pytest.raises(SchemaError) as caught:
        validate("MessageDelivered", payload)
    assert len(str(caught.value)) < 500
    assert time.thread_time() - began < 5


def test_unnamed_keys_are_kept_as_they_come_in_every_schema() -> None:
    """No schema asks anything of keys that it does not name, which the wording of faults relies on."""

    def asked(schema: Any) -> list[Any]:
        if isinstance(schema, list):
            return [found for part in schema for found in asked(part)]
        if not isinstance(schema, dict):
            return []
        here = [schema["unevaluatedProperties"]] if "unevaluatedProperties" in schema else []
        return here + [found for part in schema.values() for found in asked(part)]

    for schema in SCHEMAS.values():
        assert all(set(one) <= {"description", "x-personal"} for one in asked(schema))


def test_a_fault_can_be_seen_from_the_document_around_it() -> None:
    """A path is moved under the key that holds the payload."""
    assert str(SchemaError("$.timestamp", "is required").under("$.data")) == "$.data.timestamp: is required"
    assert SchemaError("$", "x").under("$.data").path == "$.data"


def test_an_unknown_type_has_no_schema() -> None:
    """Asking for the schema of a type that does not exist is a SchemaError."""
    with pytest.raises(SchemaError, match="no event type"):
        schema_of("definitions")


def test_validation_is_cheap_enough_for_every_webhook() -> None:
    """A small payload takes a few microseconds at most, measured at its fastest so that a busy machine does not matter."""
    payload = {
        "messageId": "m1",
        "timestamp": "2025-11-21T03:42:00Z",
        "to": "+15551234567",
        "providerStatus": "delivered",
    }
    best = min(timeit.repeat(lambda: validate("MessageDelivered", payload), number=500, repeat=20)) / 500
    assert best < 10e-6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KEYS = st.sampled_from(sorted(DEFINITIONS["fact"]["properties"]))


@given(
    st.sampled_from(list(EVENT_TYPES)),
    st.dictionaries(KEYS, JSON, max_size=5),
    st.sampled_from([None, "reported", "relayed"]),
)
def test_any_payload_fits_or_is_a_schema_error(name: str, payload: dict[str, Any], form: Any) -> None:
    """Whatever JSON is in the known keys, there is an answer, and never another exception."""
    try:
        validate(name, payload, form)
    except SchemaError as error:
        assert error.path.startswith("$") and error.message != "does not fit its schema"
