"""Validates payloads of events against the JSON Schemas (2020-12) beside this file, one for each event type.

The files are the only list of the types that services may report (`$defs/reported`; else `x-reserved` gives the
reason), and of the properties that hold personal data (`x-personal`).
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

#: Who reports an event: a service on `events.reported`, or a relay of a provider's webhook in an envelope.
Form = Literal["reported", "relayed"]
Schema = dict[str, Any]
#: The number of a webhook's bad items whose errors are described, and the description of all others: describing one
#: takes a millisecond, and a webhook may have thousands of bad items.
WORDED = 20
NOT_WORDED = "does not fit its schema, as others of the same webhook before it"
#: Most errors of one value that are found: a list of 60,000 bad items has as many.
MOST_FAULTS = 100
#: An error: its path and message.
Fault = tuple[str, str]


class SchemaError(ValueError):
    """A document does not match its schema: `path` (JSONPath, `$.content.text`) is the place, `message` the error. The
    message never repeats a value of the document, which may be personal."""

    def __init__(self, path: str, message: str) -> None:
        """Keep the path and the message; `str()` returns both."""
        super().__init__(path, message)
        self._error = (path, message)

    @property
    def path(self) -> str:
        """The JSONPath of the error."""
        return self._error[0]

    @property
    def message(self) -> str:
        """The error."""
        return self._error[1]

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"

    @property
    def faults(self) -> Sequence[Fault]:
        """All errors that were found in the document; the first is this one."""
        return (self._error,)

    def under(self, path: str) -> "SchemaError":
        """Return the same error with a path from a document that holds this one at `path` (`$.data`)."""
        return SchemaError(path + self.path[1:], self.message)


class Unfit(SchemaError):
    """A SchemaError whose path and message are made when they are first read: that takes far longer than the check."""

    def __init__(self, references: Sequence[str], value: Any, at: str = "$") -> None:
        """Keep a value that does not match the schemas of the `$ref`s; `at` is its path in the whole document."""
        ValueError.__init__(self)
        self._checked = (references, value, at)

    @cached_property
    def _error(self) -> Fault:  # type: ignore[override]
        return self.faults[0]

    @cached_property
    def faults(self) -> Sequence[Fault]:
        """All errors of the value; the first is the most relevant."""
        references, value, at = self._checked
        return [(at + path[1:], message) for path, message in _words().faults(references, value)]

    def under(self, path: str) -> "SchemaError":
        """Return the same error with a longer path, its message still to be made."""
        references, value, at = self._checked
        return Unfit(references, value, path + at[1:])


SCHEMAS: dict[str, Schema] = {
    file.stem: orjson.loads(file.read_bytes()) for file in sorted(Path(__file__).parent.glob("*.json"))
}
#: Types that only Threadline makes, each with the reason that a service gets.
RESERVED: dict[str, str] = {
    name: schema["x-reserved"] for name in EVENT_TYPES if "x-reserved" in (schema := SCHEMAS[name])
}
REPORTABLE: tuple[str, ...] = tuple(name for name in EVENT_TYPES if name not in RESERVED)

_BY_ID: dict[str, Schema] = {schema["$id"]: schema for schema in SCHEMAS.values()}
_REGISTRY = jsonschema_rs.Registry(list(_BY_ID.items()))


def compiled(schema: Schema) -> jsonschema_rs.Draft202012Validator:
    """Compile a fast validator of one of our schemas, which may refer to the others."""
    return jsonschema_rs.Draft202012Validator(schema, registry=_REGISTRY, validate_formats=True, offline=True)


_COMPILED: dict[str, jsonschema_rs.Draft202012Validator] = {name: compiled(SCHEMAS[name]) for name in EVENT_TYPES}


def validate(type: str, payload: Mapping[str, Any], form: Form | None = None) -> None:
    """Validate a payload against its type's schema, and with `form` against what is required of that reporter.

    Raises SchemaError: the payload does not match, the type is unknown, or `form` is given and only Threadline makes
    it.
    """
    quick = _COMPILED.get(type)
    if quick is None:
        raise SchemaError("$", f"there is no event type {type[:100]!r}")
    required = None if form is None else _form(type, form)
    try:
        if quick.is_valid(payload) and (required is None or required.is_valid(payload)):
            return
    except ValueError as error:  # a key that is not a string, or a value that JSON does not have
        raise SchemaError("$", "cannot be written as JSON") from error
    references = [SCHEMAS[type]["$id"]] + ([_reference(type, form)] if form else [])
    raise worded(references, payload)


def worded(references: Sequence[str], value: Any) -> SchemaError:
    """Return the error of a value that does not match the schemas that the `$ref`s name."""
    return Unfit(references, value)


def load_words() -> None:
    """Import what describes errors, which takes longer than one record may."""
    _words()


def schema_of(type: str) -> Schema:
    """Return a type's schema, as in its file. Raises SchemaError for an unknown type."""
    if type not in EVENT_TYPES:
        raise SchemaError("$", f"there is no event type {type[:100]!r}")
    return SCHEMAS[type]


def resolve(reference: str) -> Schema:
    """Return the schema that one of our `$ref`s names, such as `urn:threadline:schema:definitions:1#/$defs/content`."""
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
    from schemas.words import Words  # slow to import, and only needed for errors

    return Words(_BY_ID)
