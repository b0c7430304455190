"""The description of the API is whole and sound: every route is in it, every schema is one, every example fits."""

import gzip
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import SecretStr
from starlette.routing import Route

from app.api.openapi import SCALAR, SCALAR_SHA256, document
from app.http.app import Http
from app.http.scopes import SCOPES
from app.settings import Kafka, Postgres, Settings
from webhooks.recognise import DOOR

DOCUMENT = document()
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation with its path and method."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def every(node: Any, at: str = "#") -> Iterator[tuple[str, Any]]:
    """Every node of the document with its place."""
    yield at, node
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from every(value, f"{at}/{key}")


def resolve(node: Any) -> Any:
    """What a reference stands for."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """Of a schema within the document."""
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]}, format_checker=FormatChecker())


def test_every_route_of_the_process_is_described_and_nothing_else(tmp_path: Path) -> None:
    """Paths and methods of the HTTP process, the door's included, are those of the document (a page's files aside)."""
    settings = Settings(
        data=tmp_path,
        postgres=Postgres(dsn=SecretStr("postgresql://127.0.0.1:1/none")),
        kafka=Kafka(bootstrap="127.0.0.1:1"),
    )
    served = {(DOOR, "get"), (DOOR, "post"), (f"{DOOR}/{{source}}", "get"), (f"{DOOR}/{{source}}", "post")}
    for route in Http(settings)._pages.routes:
        assert isinstance(route, Route)
        if route.include_in_schema:
            served |= {(route.path_format, method.lower()) for method in (route.methods or set()) - {"HEAD"}}
    assert {(path, method) for path, method, _ in operations()} == served


def test_the_scopes_of_keys_are_described() -> None:
    """Each with what it allows, in the text at the beginning."""
    text = document()["info"]["description"]
    assert all(f"| `{scope}` | {words} |" in text.splitlines() for scope, words in SCOPES.items())
    assert "{" not in text


def test_the_document_is_whole() -> None:
    """No reference leads to another document: the files that it is built of are not served."""
    assert {node["$ref"][:2] for _, node in every(DOCUMENT) if isinstance(node, dict) and "$ref" in node} == {"#/"}


def test_viewer_is_the_pinned_one() -> None:
    """The script that the page loads is the released file, byte for byte."""
    file = Path(str(files("app.api"))) / "reference" / SCALAR
    assert sha256(gzip.decompress(file.read_bytes())).hexdigest() == SCALAR_SHA256


def test_every_reference_leads_somewhere() -> None:
    """No `$ref` is broken."""
    for place, node in every(DOCUMENT):
        if isinstance(node, dict) and "$ref" in node:
            assert resolve(node) is not None, place


def test_every_component_is_used() -> None:
    """Nothing is described that nothing refers to."""
    used = {node["$ref"] for _, node in every(DOCUMENT) if isinstance(node, dict) and "$ref" in node}
    for kind, components in DOCUMENT["components"].items():
        if kind != "securitySchemes":
            assert {f"#/components/{kind}/{name}" for name in components} <= used


def test_every_schema_is_a_schema() -> None:
    """Each is valid JSON Schema 2020-12, and no enumeration was left empty."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema.get("enum", ["filled"]), name


def test_every_example_fits_its_schema() -> None:
    """Examples of parameters, bodies, answers and schemas are true to their schemas."""
    seen = 0
    for place, node in every(DOCUMENT):
        if not isinstance(node, dict) or "schema" not in node or "/properties/" in place:
            continue
        examples = [resolve(one)["value"] for one in node.get("examples", {}).values()]
        for example in [*examples, *([node["example"]] if "example" in node else [])]:
            validator(node["schema"]).validate(example)
            seen += 1
    for schema in DOCUMENT["components"]["schemas"].values():
        for example in schema.get("examples", ()):
            validator(schema).validate(example)
            seen += 1
    assert seen > 10


def test_what_a_caller_gives_as_the_reason_has_one_name() -> None:
    """In a body it is `reason`, as the option of the command line."""
    bodies = [
        (path, name)
        for path, _, operation in operations()
        for media in operation.get("requestBody", {}).get("content", {}).values()
        for name in resolve(media["schema"]).get("properties", {})
    ]
    assert ("/v1/customers/{id}/merge", "reason") in bodies
    assert not [each for each in bodies if each[1] in ("cause", "why")]


def test_every_operation_says_who_may_call_it_and_how_it_fails() -> None:
    """Each has an id of its own, a known tag, a summary and its security; each error is a problem document."""
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for path, _, operation in operations():
        assert set(operation["tags"]) <= tags
        assert operation["summary"]
        schemes = {name for need in operation["security"] for name in need}
        assert schemes <= DOCUMENT["components"]["securitySchemes"].keys()
        for status, response in operation["responses"].items():
            content = resolve(response).get("content", {})
            if status[0] in "45" and path != "/readyz":
                assert list(content) == ["application/problem+json"], (path, status)
        if path.startswith("/api/"):
            needed = ["timeline:read", *(["personal:read"] if "attachments" in path else [])]
            assert operation["security"] == [{name: needed} for name in ("key", "token", "session")]
            assert {"401", "403", "404", "500", "503"} <= operation["responses"].keys()
        if path.startswith("/v1/"):
            key, token, session = operation["security"]
            assert key["key"] == token["token"] == session["session"] and set(key["key"]) <= SCOPES.keys()
            assert {"400", "401", "403", "500", "503"} <= operation["responses"].keys()
        if path.startswith(("/api/", "/v1/")):
            assert "Threadline-Client" in {resolve(one)["name"] for one in operation["parameters"]}


def test_every_parameter_of_a_path_is_described() -> None:
    """And no other is described as in the path."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            parameters = [resolve(one) for one in item.get("parameters", []) + item[method].get("parameters", [])]
            named = {one["name"] for one in parameters if one["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


@pytest.mark.parametrize("name", ["Interaction", "Event", "Timeline", "Customer", "Handle", "Envelope"])
def test_schemas_refuse_what_lacks_a_member(name: str) -> None:
    """The schemas say something: an empty object fits none of them."""
    assert not validator({"$ref": f"#/components/schemas/{name}"}).is_valid({})
