"""Erasure, legal holds and exports by the API and the command line, with the worker's part."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import pytest
from jsonschema import Draft202012Validator

from agents.health import WorkerHealth
from agents.process.erasures import Erasures
from app.embedded.postgres import Postgres
from app.http.scopes import ROLES
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import Ran, command, on_store
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    BO,
    SIGNING,
    WORDS,
    customer,
    filled,
    read,
    said,
    settings,
)
from tests.integration.serving import Served, refused, serving
from tests.support.keys import SEAL

ALL = ("customers:erase", "customers:hold", "customers:export", "timeline:read", "personal:read")
REASON = {"reason": "asked for it"}


def until(days: int = 30) -> str:
    """So many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def test_a_customer_is_erased_by_the_api_and_the_worker(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """202 with where to look; the worker does it; the receipt is there; then the customer is not found any more."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        whose = await filled(served.store)
        path = f"/v1/customers/{whose}"
        asked = await served.http.delete(path, params=REASON)
        assert asked.status_code == 202
        at = asked.headers["location"]
        assert at == f"/v1/erasures/{asked.json()['erasureId']}" and asked.json()["state"] == "requested"
        assert (await served.http.delete(path, params=REASON)).json()["erasureId"] == asked.json()["erasureId"]

        health = WorkerHealth()
        worker = Erasures(served.store, settings(tmp_path), health)
        await worker.once()
        done = (await served.http.get(at)).json()
        assert done["state"] == "completed" and done["receipt"]["signature"]
        assert ANA.value not in json.dumps(done)
        figures = {metric.name: [sample.value for sample in metric.samples] for metric in worker.collect()}
        assert figures["threadline_erasures_open"] == [0.0] and sum(figures["threadline_erasure_steps"]) == 7 + 7

        refused(await served.http.get(f"/api/customers/{whose}/interactions"), 404)
        refused(await served.http.delete(path, params=REASON), 404)
        refused(await served.http.get(f"{path}/export"), 404)
        refused(await served.http.put(f"{path}/hold", json={**REASON, "until": until()}), 404)
    actions = "SELECT action FROM audit WHERE action LIKE 'customer%%' OR action LIKE 'erasure%%' ORDER BY position"
    assert await read(postgres_dsn.owner, actions) == ["customer.erase", "customer.erased"]


async def test_a_legal_hold_answers_423(postgres_dsn: Dsns) -> None:
    """With its reason and end, until it is ended; what is no hold is refused."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        path = f"/v1/customers/{await filled(served.store)}"
        wrongs: list[Any] = [
            {"reason": "x"},
            {"reason": "", "until": until()},
            {**REASON, "until": until(-1)},
            [],
            {**REASON, "until": 7},
        ]
        for wrong in wrongs:
            assert (await served.http.put(f"{path}/hold", json=wrong)).status_code in (400, 422)
        refused(await served.http.delete(f"{path}/hold"), 404)
        ends = until()
        held = await served.http.put(f"{path}/hold", json={"reason": "lawsuit 7", "until": ends})
        assert held.status_code == 200 and held.json()["reason"] == "lawsuit 7"
        problem = refused(await served.http.delete(path, params=REASON), 423)
        assert (problem["reason"], problem["until"]) == ("lawsuit 7", ends)
        assert (await served.http.delete(f"{path}/hold")).status_code == 204
        assert (await served.http.delete(path, params=REASON)).status_code == 202
        for reason in (" ", "x" * 501, "a\nb"):
            refused(await served.http.delete(path, params={"reason": reason}), 400)
        refused(await served.http.delete(path), 400)


async def test_who_erases_cannot_hold_and_who_holds_cannot_erase(postgres_dsn: Dsns) -> None:
    """Each gets 403 with the scope that is missing, and nothing has happened; a privacy officer does both, and the audit tells who did."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        path = f"/v1/customers/{await filled(served.store)}"
        hold = {"reason": "lawsuit 7", "until": until()}
        await served.ask_as(*(set(ALL) - {"customers:hold"}), client="shop")
        assert refused(await served.http.put(f"{path}/hold", json=hold), 403)["scope"] == "customers:hold"
        await served.ask_as("customers:hold", client="shop")
        assert (await served.http.put(f"{path}/hold", json=hold)).status_code == 200
        assert refused(await served.http.delete(path, params=REASON), 403)["scope"] == "customers:erase"
        await served.ask_as(*(set(ALL) - {"customers:hold"}), client="shop")
        assert refused(await served.http.delete(f"{path}/hold"), 403)["scope"] == "customers:hold"
        refused(await served.http.delete(path, params=REASON), 423)
        await served.ask_as(*ROLES["privacy-officer"].scopes, client="shop")
        assert (await served.http.delete(f"{path}/hold")).status_code == 204
        assert (await served.http.delete(path, params=REASON)).status_code == 202
    assert {name for name, role in ROLES.items() if "customers:hold" in role.scopes} == {
        "privacy-officer", "administrator",
    }  # fmt: skip
    done = "SELECT action FROM audit WHERE action LIKE 'customer.%%' ORDER BY position"
    assert await read(postgres_dsn.owner, done) == ["customer.hold", "customer.unhold", "customer.erase"]


async def test_another_tenant_is_told_nothing(postgres_dsn: Dsns) -> None:
    """404 on each route, as for an id that nobody has."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        whose = await filled(served.store)
        id = await served.store.request_erasure("shop", whose, "asked for it")
        await served.ask_as(*ALL, client="other")
        for each in (whose, uuid4()):
            path = f"/v1/customers/{each}"
            refused(await served.http.delete(path, params=REASON), 404)
            refused(await served.http.get(f"{path}/export"), 404)
            refused(await served.http.delete(f"{path}/hold"), 404)
            refused(await served.http.put(f"{path}/hold", json={**REASON, "until": until()}), 404)
        for other in (id, uuid4(), "x"):
            refused(await served.http.get(f"/v1/erasures/{other}"), 404)


async def exported(served: Served, path: str) -> dict[str, bytes]:
    """Export a customer; return the files of the ZIP."""
    answer = await served.http.get(f"{path}/export")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        for each in archive.infolist():
            assert abs(datetime(*each.date_time, tzinfo=UTC) - datetime.now(UTC)) < timedelta(minutes=5)
        return {name: archive.read(name) for name in archive.namelist()}


async def test_an_export_has_all_and_fits_its_schema(postgres_dsn: Dsns) -> None:
    """What the customer said, was sent and opted out of, over several pages, and nothing of others; the page is escaped."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        whose = await filled(served.store)
        hostile = "<script>alert('x')</script> & \"more\""
        rows = [
            said(n, ANA, payload={"content": {"text": f"{n} {hostile}", "media": [{"url": "https://a.example/<b>"}]}})
            for n in range(100, 560)
        ]
        await served.store.append(rows)
        files = await exported(served, f"/v1/customers/{whose}")
    assert files.keys() == {"README.txt", "data.json", "data.schema.json", "timeline.html"}
    data: dict[str, Any] = orjson.loads(files["data.json"])
    schema = orjson.loads(files["data.schema.json"])
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(data)
    assert {each["value"] for each in data["handles"]} == {ANA.value, ANA_MAIL.value}
    assert len(data["interactions"]) == len({each["interactionId"] for each in data["interactions"]}) == 7 + 460
    assert [each["request"]["content"] for each in data["messages"]] == [{"text": WORDS}]
    assert [each["optedOut"] for handle in data["handles"] for each in handle["consents"]] == [True, True]
    assert {each["handleId"] for each in data["assignments"]} == {each["handleId"] for each in data["handles"]}
    page = files["timeline.html"].decode()
    assert page.count("<article>") == 467 and page.count("&lt;script&gt;") == 460 and "<script" not in page
    assert BO.value not in page and BO.value.encode() not in files["data.json"]
    assert await read(postgres_dsn.owner, "SELECT subject FROM audit WHERE action = 'customer.export'") in (
        [str(whose)],
        [],
    )


async def test_exports_are_bounded(postgres_dsn: Dsns) -> None:
    """Two at once; a third is asked to come again."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        whose = await filled(served.store)
        served.api.exporting = 2
        assert refused(await served.http.get(f"/v1/customers/{whose}/export"), 503)
        served.api.exporting = 0
        await exported(served, f"/v1/customers/{whose}")
        assert served.api.exporting == 0


async def run(dsns: Dsns, folder: Path, *words: str, given: bytes = b"") -> Ran:
    """Run a command on a terminal of 80 columns; no line of what it prints is longer."""
    more = {"THREADLINE_AUDIT__KEY": SIGNING, "COLUMNS": "80", "THREADLINE_POSTGRES__OWNER_DSN": dsns.owner}
    ran = await command(*words, given=given, environment=on_store(dsns.service, folder / "data") | more)
    assert [
        line for line in ran.out.splitlines() if len(line) > 80 and "http" not in line
    ] == [] or "--receipt" in words
    return ran


async def test_the_commands(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Export, hold, erase, show, verify: by the address before, by the receipt afterwards."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose = await filled(store)
        bo = await customer(store, BO)
    shop = ("--client", "shop")
    archive, receipt = tmp_path / "ana.zip", tmp_path / "receipt.json"
    ran = await run(postgres_dsn, tmp_path, "customers", "export", ANA.value, "-o", str(archive), *shop)
    assert ran.code == 0 and zipfile.is_zipfile(archive) and archive.stat().st_mode & 0o777 == 0o600
    ran = await run(postgres_dsn, tmp_path, "customers", "export", ANA.value, "-o", str(archive), *shop)
    assert ran.code == 1 and "File exists" in " ".join(ran.err.split())  # wrapped, as the path is long

    hold = ("customers", "hold", str(whose), "--reason", "lawsuit 7", *shop)
    assert (await run(postgres_dsn, tmp_path, *hold, "--until", "2001-01-01")).code == 2
    assert (await run(postgres_dsn, tmp_path, *hold, "--until", until()[:10])).code == 0
    erase = ("customers", "erase", ANA.value, "--reason", "asked for it", "--receipt", str(receipt), *shop)
    ran = await run(postgres_dsn, tmp_path, *erase, "--yes")
    assert ran.code == 1 and "under a legal hold" in ran.err and "lawsuit 7" in ran.err
    assert (await run(postgres_dsn, tmp_path, "customers", "unhold", str(whose), *shop)).code == 0
    assert (await run(postgres_dsn, tmp_path, "customers", "unhold", str(whose), *shop)).code == 1

    assert (await run(postgres_dsn, tmp_path, "customers", "erase", ANA.value, *shop)).code == 2
    ran = await run(postgres_dsn, tmp_path, *erase, given=b"n\n")
    assert ran.code == 1 and "Nothing was erased" in ran.err
    for wrong in (
        tmp_path,
        tmp_path / "nowhere" / "receipt.json",
        archive,
    ):  # looked at before, as nothing undoes an erasure
        ran = await run(postgres_dsn, tmp_path, *erase, "--yes", "--receipt", str(wrong))
        assert ran.code == 2 and f"Nothing was erased: {wrong}" in " ".join(ran.err.split())
    assert not receipt.exists() and zipfile.is_zipfile(archive)
    ran = await run(postgres_dsn, tmp_path, *erase, given=b"y\n")
    assert ran.code == 0 and "2, each of one address" in ran.out and ANA.value not in ran.out + ran.err
    (erasure,) = await read(postgres_dsn.owner, "SELECT id::text FROM erasures")
    assert (await run(postgres_dsn, tmp_path, *erase, "--yes")).code == 1

    shown = await run(postgres_dsn, tmp_path, "erasure", "show", erasure, "--receipt")
    assert orjson.loads(shown.out) == orjson.loads(receipt.read_bytes())
    assert erasure[:8] in (await run(postgres_dsn, tmp_path, "erasure", "list")).out

    verify = ("erasure", "verify", str(receipt))
    ran = await run(
        postgres_dsn, tmp_path, *verify, "--value", ANA.value, "--value", "-", given=ANA_MAIL.value.encode()
    )
    assert ran.code == 0 and "Not found" in ran.out and "no table" in ran.err and "cannot see" in ran.err
    ran = await run(postgres_dsn, tmp_path, *verify, "--value", BO.value, "--json")
    assert ran.code == 1
    found = orjson.loads(ran.out)["found"]
    assert found.keys() == {"handles"} and found["handles"] == ["digest of a handle that is there now"]
    dump = tmp_path / "dump.sql"
    dump.write_bytes(b"x" * (1 << 20) + b"-" + ANA.value[1:].encode().hex().encode() + b"\n")
    ran = await run(postgres_dsn, tmp_path, *verify, "--value", ANA.value, "--dump", str(dump))
    assert ran.code == 1 and "hexadecimal" in ran.out
    assert "no table" not in ran.err and "cannot see" in ran.err
    for option in (("--dump", str(tmp_path / "none.sql")), ("--dump", str(tmp_path)), ("--public-key", "none")):
        ran = await run(postgres_dsn, tmp_path, *verify, "--value", ANA.value, *option)
        assert ran.code == 2 and " ".join(option).removeprefix("--dump ") in ran.err  # 1 means: found
    unsigned = tmp_path / "unsigned.json"
    unsigned.write_bytes(orjson.dumps(orjson.loads(receipt.read_bytes()) | {"signature": None, "publicKey": None}))
    for value, code in ((ANA.value, 3), (BO.value, 1)):
        ran = await run(postgres_dsn, tmp_path, "erasure", "verify", str(unsigned), "--value", value)
        assert ran.code == code and "UNSIGNED" in ran.err and "has no signature" in ran.out
    receipt.write_bytes(receipt.read_bytes().replace(b'"suppressions": 2', b'"suppressions": 3'))
    ran = await run(postgres_dsn, tmp_path, *verify)
    assert ran.code == 1 and "not by a key that was given" in ran.err
    assert (
        bo
        and (await run(postgres_dsn, tmp_path, "customers", "erase", str(uuid4()), "--reason", "x", "--yes")).code == 1
    )


async def test_an_export_is_made_within_the_bounds_of_its_request(
    postgres: Postgres, postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pieces are read after the route has returned: still as the caller's client, as the login of `threadline serve` has to."""
    async with serving(postgres_dsn.service, scopes=ALL, client="shop") as served:
        whose = await filled(served.store)
        await postgres.make_logins()
        login = urlsplit(postgres.dsn("door", urlsplit(postgres_dsn.service).path.strip("/")))
        async with await EventStore.open(login.geturl(), SEAL, pool=2) as store:
            monkeypatch.setattr(served.api, "store", store)
            files = await exported(served, f"/v1/customers/{whose}")
        assert orjson.loads(files["data.json"])["interactions"]
