"""Finds the personal data in payloads of events, and in requests, by the marks `x-personal` of the schemas, and the
addresses among it, by `x-address`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from schemas import SCHEMAS, Schema, resolve, schema_of

#: The name of the schema of requests to send, beside those of the event types.
REQUEST = "request"


@dataclass(slots=True)
class Marks:
    """What is marked at one place of a payload. `whole`: the whole value is personal; else what is marked in it, by property
    (`named`, also those without a mark), of properties that the schema does not name (`rest`), and of items of a list.
    `address`: the value says whose the event is."""

    whole: bool = False
    address: bool = False
    named: dict[str, "Marks"] = field(default_factory=dict)
    rest: "Marks | None" = None
    items: "Marks | None" = None

    def paths(self, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        """Yield the paths of what is marked."""
        if self.whole:
            yield path
            return
        for name, inner in self.named.items():
            yield from inner.paths((*path, name))
        for inner in filter(None, (self.rest, self.items)):
            yield from inner.paths((*path, "*"))


@cache
def marks_of(type: str) -> Marks:
    """Return the marks of a type's payload, or of a request (`REQUEST`). Raises SchemaError for an unknown type."""
    made = Marks()
    _add(SCHEMAS[REQUEST] if type == REQUEST else schema_of(type), made)
    return made


def personal_paths(type: str) -> tuple[tuple[str, ...], ...]:
    """Return the paths of personal data in a type's payload, as tuples of keys (`("error", "text")`). `*` is any item
    of a list, or any key that the schema does not name: unknown keys of a provider count as personal.

    The whole value at a path is personal. Raises SchemaError for an unknown type.
    """
    return tuple(sorted(set(marks_of(type).paths())))


def _add(schema: Schema, made: Marks) -> None:
    """Add a schema's marks. The properties of a personal value are named too, for those who treat them one by one."""
    made.whole = made.whole or bool(schema.get("x-personal"))
    made.address = made.address or bool(schema.get("x-address"))
    if "$ref" in schema:
        _add(resolve(schema["$ref"]), made)
    for part in schema.get("allOf", ()):
        _add(part, made)
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name, part in properties.items():
        _add(part, made.named.setdefault(name, Marks()))
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if isinstance(schema.get(keyword), dict):  # not `false`, by which there is nothing
            made.rest = made.rest or Marks()
            _add(schema[keyword], made.rest)
    if "items" in schema:
        made.items = made.items or Marks()
        _add(schema["items"], made.items)
