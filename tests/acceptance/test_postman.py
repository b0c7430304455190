"""The Postman collection that `make postman` makes of the API's description works as it is against a running system."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from app.api.openapi.bundle import document
from app.api.openapi.postman import collection
from app.http.scopes import SCOPES
from tests.acceptance import node
from tests.support import traffic
from tests.support.keys import KEY
from tests.support.stack import Stack
from tests.support.waiting import eventually

HANDLE = "+15551234567"
SENDING = {"account_sid": "AC" + "0" * 32, "sender": "+15550001111", "api_url": "http://127.0.0.1:9"}
#: Requests whose answer must be of success, since the system has what they ask for.
SUCCEED = {
    "List the messages in a state": 200,
    "Send messages": 202,
    "Read a message": 200,
    "Find the customer of a handle": 200,
    "Read a customer's timeline, newest first": 200,
    "Read one interaction with its events": 200,
    "Replace a client's configuration": 201,
    "Keep a webhook": 202,
    "Opt a recipient out of a channel, or in to it": 200,
    "The description of the Kafka topics": 200,
}


async def converted(folder: Path) -> dict[str, Any]:
    """The collection, made as `make postman` does."""
    (folder / "openapi.json").write_bytes(orjson.dumps(document()))
    await node.run(
        "openapi2postmanv2", "--spec", str(folder / "openapi.json"), "--output", str(folder / "converted.json"),
        "--options", "folderStrategy=Tags,enableOptionalParameters=false",
    )  # fmt: skip
    return collection(orjson.loads((folder / "converted.json").read_bytes()))


async def newman(folder: Path, made: Mapping[str, Any], **variables: str) -> dict[str, Any]:
    """Run the collection with these variables, and return newman's report of the run."""
    (folder / "collection.json").write_bytes(orjson.dumps(made))
    given = [part for name, value in variables.items() for part in ("--env-var", f"{name}={value}")]
    await node.run(
        "newman", "run", str(folder / "collection.json"), *given, "--reporters", "json", "--timeout-request", "30000",
        "--reporter-json-export", str(folder / "report.json"), "--suppress-exit-code",
    )  # fmt: skip
    run: dict[str, Any] = orjson.loads((folder / "report.json").read_bytes())["run"]
    return run


async def test_the_collection_runs_without_a_failed_test(open_folder: Path) -> None:
    """From top to bottom, each route once, every answer is documented and none is a fault of the server. A status that is not
    documented fails."""
    made = await converted(open_folder)
    sources = traffic.SOURCES | {"twilio": traffic.SOURCES["twilio"] | SENDING}
    async with Stack(open_folder / "stack", sources, secrets={"keys": [KEY]}) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        key = await stack.key(*SCOPES)
        await customer(stack, key)
        variables = {"baseUrl": stack.url, "apiKey": key, "streamedCustomer": str(uuid4())}
        run = await newman(open_folder, made, **variables)
        for operation in (item for folder in made["item"] for item in folder["item"]):
            if operation["name"] == "Is the process alive?":
                operation["event"][0]["script"]["exec"][1] = (
                    "    pm.expect([418].includes(pm.response.code)).to.be.true;"
                )
        strict = await newman(open_folder, made, **variables)
    assert [(each["source"]["name"], each["error"]["message"]) for each in run["failures"]] == []
    answers = {each["item"]["name"]: each["response"]["code"] for each in run["executions"]}
    assert len(answers) == sum(len(item.keys() - {"parameters"}) for item in document()["paths"].values())
    assert {name: answers[name] for name in SUCCEED} == SUCCEED
    assert [each["source"]["name"] for each in strict["failures"]] == ["Is the process alive?"]


async def customer(stack: Stack, key: str) -> None:
    """Post a customer's message, and wait until the customer is found."""
    form = {"AccountSid": SENDING["account_sid"], "MessageSid": "SM1", "From": HANDLE, "To": SENDING["sender"]}
    posted = traffic.twilio(form | {"SmsStatus": "received", "Body": "Where is my order?"})
    async with httpx.AsyncClient(base_url=stack.url, trust_env=False) as http:
        answer = await http.post("/webhooks/aggregate", headers=posted.headers, content=posted.body)
        assert answer.is_success, answer.text

        async def found() -> int:
            asked = {"handle": HANDLE}
            return (
                await http.get("/api/customers", params=asked, headers={"authorization": f"Bearer {key}"})
            ).status_code

        await eventually(found, lambda status: status == 200)


@pytest.mark.parametrize("part", ["baseUrl", "apiKey"])
async def test_the_collection_has_variables_for_address_and_key(open_folder: Path, part: str) -> None:
    """Every request uses the address, and those that need a key take that of the collection."""
    made = await converted(open_folder)
    assert part in {variable["key"] for variable in made["variable"]}
    for folder in made["item"]:
        for item in folder["item"]:
            assert item["request"]["url"]["host"] == ["{{baseUrl}}"]
            assert item["request"].get("auth", {"type": "noauth"}) == {"type": "noauth"}
