"""`threadline events`: lists the event types from their schemas: what each means, who writes it, and its fields; with --markdown
as the page docs/events.md."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import orjson
import typer

from adapters import ADAPTERS, PROVIDERS
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import MISUSED, entry, print_error
from app.linking import LINKED
from app.sending.consent import STATES as CONSENTS
from app.sending.states import TRANSITIONS
from schemas import RESERVED, SCHEMAS, Schema, resolve
from schemas.events import EVENT_TYPES, TYPE_OF_DOTTED

#: The types of events that Threadline itself writes.
ERASING = ("ErasureRequested", "CustomerErased")
WRITTEN = frozenset({*(move.event for move in TRANSITIONS if move.event), *CONSENTS.values(), LINKED, *ERASING})
#: The shared fields whose own fields are listed beneath them.
_NESTED = ("content", "error", "handle", "price")

_HEAD = """# Event types

All event types, made from `schemas/` by `threadline events --markdown`; a test keeps it true.

An event is one fact about a message, a call, an interaction or a customer. It is appended to the log, published on `events.recorded`, and shown in a timeline. Its payload is the `data` of a CloudEvent ([callbacks.md](callbacks.md)) and is described by the JSON Schema `schemas/<Type>.json`, whose id (`urn:threadline:schema:<Type>:<version>`) is the CloudEvent's `dataschema`. `/asyncapi.json` describes the topics with all of these.

A field that is personal is encrypted, masked and erased as a whole. A payload may have any of the [fields of every event](#fields-of-every-event), and others that a provider gives: unknown fields are kept as received and treated as personal data. Readers ignore fields and types that they do not know ([api.md](api.md)).

"""
_COMMON = """
## Fields of every event

All are optional, unless an event type says otherwise.

"""
_COLUMNS = "| field | type | personal | what |\n| --- | --- | --- | --- |\n"


def events(
    name: Annotated[str | None, typer.Argument(help="One of them, to see it in full.")] = None,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/events.md.")] = False,
) -> int:
    """List the event types: what each means, who writes it, its fields, and an example."""
    type = TYPE_OF_DOTTED.get(name or "", name)
    if type is not None and type not in EVENT_TYPES:
        return print_error(f"threadline events: there is no {name!r}; there are: {', '.join(EVENT_TYPES)}", MISUSED)
    described = [description(each) for each in ([type] if type else EVENT_TYPES)]
    if as_json:
        return print_json(described)
    if markdown:
        sys.stdout.write(page())
    elif type is not None:
        print(_sheet(described[0]))
    else:
        for one in described:
            print(entry(f"{one['type']}  {one['name']}", one["description"]))
    return 0


def description(type: str) -> dict[str, Any]:
    """Return the description of an event type, in JSON's types."""
    schema = SCHEMAS[type]
    return {
        "type": type,
        "name": EVENT_TYPES[type],
        "id": schema["$id"],
        "description": schema["description"],
        "writtenBy": writers(type),
        "reserved": RESERVED.get(type),
        "required": _required(schema.get("$defs", {}).get("reported", schema)),
        "fields": [field(name, part) for name, part in schema["properties"].items()],
        "example": schema["examples"][0],
    }


def writers(type: str) -> list[str]:
    """Return who writes events of a type: Threadline, adapters of providers (without their number, so that a new provider
    does not change the page), services."""
    found = ["Threadline"] if type in WRITTEN else []
    found += ["providers' adapters"] if any(type in ADAPTERS[name].events for name in PROVIDERS) else []
    return found + (["services, on `events.reported`"] if type not in RESERVED else [])


def field(name: str, schema: Schema) -> dict[str, Any]:
    """Return the description of a field: its type, whether it is personal (`yes`, `in part`, `no`), and its meaning."""
    whole = _whole(schema)
    personal = "yes" if whole.get("x-personal") else "in part" if _has_personal(whole) else "no"
    return {"name": name, "type": _kind(whole), "personal": personal, "description": whole["description"]}


def page() -> str:
    """Return the text of docs/events.md."""
    types = [description(type) for type in EVENT_TYPES]
    index = [f"| [{one['type']}](#{one['type'].lower()}) | `{one['name']}` | {one['description']} |" for one in types]
    text = _HEAD + "\n".join(("| type | name | what happened |", "| --- | --- | --- |", *index)) + "\n"
    text += "".join(_section(one) for one in types)
    return text + _COMMON + _table(_common())


def _section(one: dict[str, Any]) -> str:
    written = "; ".join(one["writtenBy"]) or "nothing yet: the name is kept for it"
    lines = [f"\n## {one['type']}\n", one["description"] + "\n", f"- name: `{one['name']}`", f"- schema: `{one['id']}`"]
    lines.append(f"- written by: {written}")
    if one["reserved"]:
        lines.append(f"- not for services: {one['reserved']}")
    if one["required"]:
        lines.append(f"- {'always has' if one['reserved'] else 'a service must give'}: {one['required']}")
    example = orjson.dumps(one["example"], option=orjson.OPT_INDENT_2).decode()
    return "\n".join(lines) + f"\n\n{_table(one['fields'])}\n```json\n{example}\n```\n"


def _table(fields: list[dict[str, Any]]) -> str:
    rows = (
        f"| `{one['name']}` | {one['type']} | {one['personal']} | {_cell(one['description'])} |\n" for one in fields
    )
    return _COLUMNS + "".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _common() -> list[dict[str, Any]]:
    """Return the fields that every event may have, those of some objects beneath them."""
    return list(_listed(resolve(SCHEMAS["definitions"]["$id"] + "#/$defs/fact")))


def _listed(schema: Schema, above: str = "", personal: bool = False) -> Iterator[dict[str, Any]]:
    for name, part in schema["properties"].items():
        one = field(above + name, part)
        yield one | {"personal": "yes"} if personal else one
        if name in _NESTED:
            yield from _listed(_whole(part), f"{name}.", one["personal"] == "yes")


def _has_personal(schema: Schema) -> bool:
    """Return whether a value of the schema has personal data in it."""
    whole = _whole(schema)
    inner = [*whole.get("properties", {}).values(), *([whole["items"]] if "items" in whole else [])]
    return bool(whole.get("x-personal")) or any(map(_has_personal, inner))


def _whole(schema: Schema) -> Schema:
    """Return the schema with what its `$ref` says; what stands beside the reference wins."""
    return _whole(resolve(schema["$ref"])) | schema if "$ref" in schema else schema


def _kind(schema: Schema) -> str:
    """Return a schema's type in words."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("format") == "date-time":
        return "time (RFC 3339)"
    if schema.get("type") == "array":
        return f"list of {_kind(_whole(schema['items']))}"
    types = schema.get("type", "any")
    return types if isinstance(types, str) else " or ".join(types)


def _required(schema: Schema) -> str:
    """Return what a payload must have, in words; "" if nothing."""
    parts = [", ".join(f"`{name}`" for name in schema.get("required", ()))]
    parts += [_required(part) for part in schema.get("allOf", ())]
    if "anyOf" in schema:
        parts.append(f"one of {', '.join(_required(part) for part in schema['anyOf'])}")
    if "$ref" in schema:
        parts.append(_required(resolve(schema["$ref"])))
    return "; ".join(part for part in parts if part)


def _sheet(one: dict[str, Any]) -> str:
    """Return all that is known of one type, as an entry."""
    fields = [f"{each['name']}: {each['description']}" for each in one["fields"]]
    facts = [
        f"schema: {one['id']}",
        f"written by: {'; '.join(one['writtenBy']) or 'nothing yet'}",
        *([f"not for services: {one['reserved']}"] if one["reserved"] else []),
        *([f"must have: {one['required']}"] if one["required"] else []),
        "fields:",
        *fields,
        f"example: {orjson.dumps(one['example']).decode()}",
    ]
    return entry(f"{one['type']}  {one['name']}", one["description"], "\n".join(facts).replace("`", ""))
