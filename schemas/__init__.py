"""What travels: each event type's payload has a JSON Schema (2020-12) beside this file, and `validate` holds it to that.

The files are the only list of types that services may report (`$defs/reported`, else `x-reserved` says why not), and
of the properties that hold personal data (`x-personal`).
"""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import jsonschema_rs
import orjson

from schemas.events import EVENT_TYPES

if TYPE_CHECKING:
    from schemas.words import Words

#: Who says it: a service on `events.reported`, or a relay of a provider's webhook in an envelope.
Form = Literal["reported", "relayed"]
Schema = dict[str, Any]
#: Faults of one webhook's items that are put into words, and what is said of the rest: a word takes a millisecond, and a
#: webhook may have thousands of bad items.
WORDED = 20
NOT_WORDED = "does not fit its schema, as others of the same webhook before it"


class SchemaError(ValueError):
    """What was said does not fit its schema: `path` (JSONPath, `$.content.text`) is where, `message` says what is wrong
    without repeating what was said, which may be personal."""

    def __init__(self, path: str, message: str) -> None:
        """`str()` of it is both."""
        super().__init__(path, message)
        self._said = (path, message)

    @property
    def path(self) -> str:
        """Where it is."""
        return self._said[0]

    @property
    def message(self) -> str:
        """What is wrong there."""
        return self._said[1]

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    def under(self, path: str) -> "SchemaError":
        """The same fault, seen from a document that holds this one at `path` (`$.data`)."""
        return SchemaError(path + self.path[1:], self.message)


class Unfit(SchemaError):
    """A fault that is not worded before somebody asks, as that takes far longer than finding that there is one."""

    def __init__(self, references: Sequence[str], value: Any, at: str = "$") -> None:
        """`value` does not fit the schemas that the `$ref`s name; it stands at `at` in what is read."""
        ValueError.__init__(self)
        self._asked = (references, value, at)

    @cached_property
    def _said(self) -> tuple[str, str]:  # type: ignore[override]
        references, value, at = self._asked
        path, message = _words().fault(references, value)
        return at + path[1:], message

    def under(self, path: str) -> "SchemaError":
        """The same fault, still without words."""
        references, value, at = self._asked
        return Unfit(references, value, path + at[1:])


SCHEMAS: dict[str, Schema] = {
    file.stem: orjson.loads(file.read_bytes()) for file in sorted(Path(__file__).parent.glob("*.json"))
}
#: Types that only Threadline makes, each with the reason that a service is told.
RESERVED: dict[str, str] = {
    name: schema["x-reserved"] for name in EVENT_TYPES if "x-reserved" in (schema := SCHEMAS[name])
}
REPORTABLE: tuple[str, ...] = tuple(name for name in EVENT_TYPES if name not in RESERVED)

_BY_ID: dict[str, Schema] = {schema["$id"]: schema for schema in SCHEMAS.values()}
_REGISTRY = jsonschema_rs.Registry(list(_BY_ID.items()))


def compiled(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """A quick validator of one of our schemas, which may refer to the others."""
    return jsonschema_rs.Draft202012Validator(schema, registry=_REGISTRY, validate_formats=True, offline=True)


_COMPILED: dict[str, jsonschema_rs.Draft202012Validator] = {name: compiled(SCHEMAS[name]) for name in EVENT_TYPES}


def validate(type: str, payload: Mapping[str, Any], form: Form | None = None) -> None:
    """Hold a payload to its type's schema, and with `form` to what whoever says it must say.

    Raises SchemaError: the payload does not fit, the type is unknown, or `form` is given and only Threadline makes it.
    """
    quick = _COMPILED.get(type)
    if quick is None:
        raise SchemaError("$", f"there is no event type {type[:100]!r}")
    said = None if form is None else _form(type, form)
    try:
        if quick.is_valid(payload) and (said is None or said.is_valid(payload)):
            return
    except ValueError as error:  # a key that is no string, a value that JSON has no word for
        raise SchemaError("$", "cannot be written as JSON") from error
    references = [SCHEMAS[type]["$id"]] + ([_reference(type, form)] if form else [])
    raise worded(references, payload)


def worded(references: Sequence[str], value: Any) -> SchemaError:
    """The fault of a value that does not fit the schemas that the `$ref`s name."""
    return Unfit(references, value)


def load_words() -> None:
    """Have what words a fault at hand: loading it takes longer than a record may."""
    _words()


def schema_of(type: str) -> Schema:
    """A type's schema, as its file has it. Raises SchemaError where there is no such type."""
    if type not in EVENT_TYPES:
        raise SchemaError("$", f"there is no event type {type[:100]!r}")
    return SCHEMAS[type]


@cache
def personal_paths(type: str) -> tuple[tuple[str, ...], ...]:
    """Where a type's payload holds personal data: paths of keys (`("error", "text")`; `*` is any item of a list, or
    any key that the schema does not name: what a provider says beside what we know is personal until someone looks).

    What is at a path is personal as a whole. Raises SchemaError where there is no such type.
    """
    return tuple(sorted(set(_marked(schema_of(type), ()))))


def _marked(schema: Schema, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    if schema.get("x-personal"):
        return [path]
    found = [] if "$ref" not in schema else _marked(resolve(schema["$ref"]), path)
    if found == [path]:
        return found
    for part in schema.get("allOf", ()):
        found += _marked(part, path)
    for name, part in schema.get("properties", {}).items():
        found += _marked(part, (*path, name))
    for keyword in ("items", "additionalProperties", "unevaluatedProperties"):
        if keyword in schema:
            found += _marked(schema[keyword], (*path, "*"))
    return found


def resolve(reference: str) -> Schema:
    """The schema that a `$ref` of ours names, as `urn:threadline:schema:definitions:1#/$defs/content`."""
    document, _, pointer = reference.partition("#")
    schema: Any = _BY_ID[document]
    for name in pointer.split("/")[1:]:
        schema = schema[name]
    return dict(schema)


def _reference(type: str, form: Form) -> str:
    if type in RESERVED:
        raise SchemaError("$", f"{type} is not for others to say: {RESERVED[type]}")
    forms = SCHEMAS[type]["$defs"]
    return f"{SCHEMAS[type]['$id']}#/$defs/{form if form in forms else 'reported'}"


@cache
def _form(type: str, form: Form) -> jsonschema_rs.Draft202012Validator:
    return compiled({"$ref": _reference(type, form)})


@cache
def _words() -> "Words":
    from schemas.words import Words  # slow to import, and only needed where there is a fault

    return Words(_BY_ID)
