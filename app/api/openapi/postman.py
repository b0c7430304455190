"""Completes the Postman collection that `openapi-to-postmanv2` makes of the API's description (`make postman`).

The converter fills parameters and bodies with random values; they become the description's own examples, or variables of the
collection. Each request gets a test that its answer has a documented status, and requests that find or make something set the
variable of its id, so that the whole collection can be run from top to bottom.

`python -m app.api.openapi.postman < converted.json` prints the collection.
"""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.api.openapi.bundle import document

#: The collection's variables. `streamedCustomer` may be set to another customer, as a stream does not end by itself.
_VARIABLES = {
    "baseUrl": "http://127.0.0.1:8080",
    "apiKey": "",
    "handle": "+15551234567",
    "channel": "sms",
    "clientId": "default",
    "account": "twilio",
    "source": "twilio",
    "messageId": "order-1001",
    "customerId": "00000000-0000-0000-0000-000000000000",
    "interactionId": "00000000-0000-0000-0000-000000000000",
    "deadLetterId": "00000000-0000-0000-0000-000000000000",
    "streamedCustomer": "{{customerId}}",
}
#: The variable of each parameter of a path or a query, by the beginning of the path and the parameter's name.
_PARAMETERS: dict[tuple[str, str], str] = {
    ("/api/customers/{id}/interactions/stream", "id"): "{{streamedCustomer}}",
    ("/api/customers/", "id"): "{{customerId}}",
    ("/api/interactions/", "id"): "{{interactionId}}",
    ("/api/interactions/", "n"): "0",
    ("/api/customers", "handle"): "{{handle}}",
    ("/v1/messages/", "id"): "{{messageId}}",
    ("/v1/messages", "state"): "queued",
    ("/v1/dead-letters/", "id"): "{{deadLetterId}}",
    ("/v1/clients/", "id"): "{{clientId}}",
    ("/v1/clients/", "name"): "{{account}}",
    ("/v1/recipients/", "handle"): "{{handle}}",
    ("/v1/", "channel"): "{{channel}}",
    ("/webhooks/", "source"): "{{source}}",
}
#: What an operation's answer says of a variable: an expression on `body`, the answer's JSON.
_FOUND = {
    "sendMessages": ("messageId", "body.messageId"),
    "findCustomer": ("customerId", "body.customerId"),
    "readTimeline": ("interactionId", "body.interactions.length ? body.interactions[0].interactionId : undefined"),
}
_JSON = "application/json"


def collection(converted: dict[str, Any]) -> dict[str, Any]:
    """Return the whole collection. Raises KeyError if a request is none of the description, or has a required parameter
    without a value."""
    described = document()
    for request in _requests(converted):
        _complete(request, described)
    converted["info"].pop("_postman_id", None)
    converted["variable"] = [{"key": key, "value": value, "type": "string"} for key, value in _VARIABLES.items()]
    converted["auth"] = {"type": "bearer", "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}]}
    return converted


def _requests(folder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in folder["item"]:
        if "item" in item:
            yield from _requests(item)
        else:
            yield item


def _complete(item: dict[str, Any], described: dict[str, Any]) -> None:
    request = item["request"]
    path = "/" + "/".join(f"{{{part[1:]}}}" if part.startswith(":") else part for part in request["url"]["path"])
    operation = described["paths"][path][request["method"].lower()]
    for given in (*request["url"].get("variable", ()), *request["url"].get("query", ())):
        if not given.get("disabled"):
            given["value"] = _parameter(path, given["key"])
    if "requestBody" in operation:
        body = _resolved(operation["requestBody"], described)["content"][_JSON]
        request["body"]["raw"] = orjson.dumps(_example(body, described), option=orjson.OPT_INDENT_2).decode()
    request.pop("auth", None)  # the collection's
    if not operation["security"]:
        request["auth"] = {"type": "noauth"}
    item.pop("id", None)
    item["response"] = []  # of random values; /docs shows the examples
    item["event"] = [{"listen": "test", "script": {"type": "text/javascript", "exec": _tests(operation)}}]


def _parameter(path: str, name: str) -> str:
    return next(value for (begin, key), value in _PARAMETERS.items() if key == name and path.startswith(begin))


def _example(body: Mapping[str, Any], described: dict[str, Any]) -> Any:
    """Return the first example of a request's body."""
    if "example" in body:
        return body["example"]
    return _resolved(next(iter(body["examples"].values())), described)["value"]


def _resolved(node: Any, described: dict[str, Any]) -> Any:
    while "$ref" in node:
        found: Any = described
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def _tests(operation: Mapping[str, Any]) -> list[str]:
    """Return the lines of the script that checks an answer, and takes over what was found."""
    statuses = [int(status) for status in operation["responses"] if status != "default"]
    documented = f"{orjson.dumps(statuses).decode()}.includes(pm.response.code)"
    if "default" in operation["responses"]:
        documented += " || pm.response.code >= 400"
    lines = [
        "pm.test('the status is documented', () => {",
        f"    pm.expect({documented}, `status ${{pm.response.code}}`).to.be.true;",
        "});",
        "pm.test('the server does not fail', () => {",
        "    pm.expect(pm.response.code).to.be.below(500);",
        "});",
    ]
    if found := _FOUND.get(operation["operationId"]):
        name, expression = found
        lines += [
            "if (pm.response.code < 300) {",
            "    const body = pm.response.json();",
            f"    const found = {expression};",
            f"    if (found) pm.collectionVariables.set('{name}', found);",
            "}",
        ]
    return lines


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(collection(orjson.loads(sys.stdin.buffer.read())), option=orjson.OPT_INDENT_2))
