"""`threadline send` and `threadline messages` against a real server: what they print, and that nothing is sent twice."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest_asyncio

from tests.conftest import Dsns
from tests.integration.command_line import Ran, command
from tests.integration.serving import Served, listening, serving
from tests.integration.test_messages_api import SMS, count, settings


class Line:
    """A command line that asks one API."""

    def __init__(self, served: Served, url: str, token: str, folder: Path) -> None:
        self.served, self.folder = served, folder
        self.environment = {
            "THREADLINE_DATA": str(folder / "data"),
            "THREADLINE_API_URL": url,
            "THREADLINE_API_KEY": token,
            "COLUMNS": "160",
        }

    async def __call__(self, *arguments: str, given: bytes = b"", **environment: str) -> Ran:
        """Run `threadline …` as a person would, with this on standard input."""
        return await command(*arguments, given=given, environment=self.environment | environment)

    def file(self, *lines: Any) -> str:
        """A file of these lines: text as it is, the rest as JSON."""
        path = self.folder / "messages.jsonl"
        path.write_bytes(b"".join((one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n" for one in lines))
        return str(path)


@pytest_asyncio.fixture
async def line(postgres_dsn: Dsns, tmp_path: Path) -> AsyncIterator[Line]:
    """On a fresh database behind a real server."""
    async with serving(postgres_dsn.service, settings()) as served, listening(served) as http:
        token = await served.key("messages:read", "messages:write", "personal:read")
        yield Line(served, str(http.base_url), token, tmp_path)


async def test_one_message(line: Line) -> None:
    """Its id alone is on standard output; with an id of its own, sending again prints that it was sent before."""
    sent = await line("send", "--channel", "sms", "--to", "+15551234567", "Hello")
    assert sent.code == 0, sent.err
    assert "Accepted, by sms" in sent.err
    kept = await line.served.store.message("default", sent.out.strip())
    assert kept is not None and kept["request"]["content"] == {"text": "Hello"}
    named = ("send", "--to", "ana@example.com", "--subject", "Hi", "--id", "order-1", "--priority", "high", "Hello")
    assert (await line(*named)).out == (again := await line(*named)).out == "order-1\n"
    assert "Accepted before, by email" in again.err
    template = ("--template", "shipped", "--variable", "order=7=8", "--reference", "r", "--category", "transactional")
    sent = await line("send", "--to", "ana@example.com", *template)
    kept = await line.served.store.message("default", sent.out.strip())
    assert kept is not None and kept["request"]["variables"] == {"order": "7=8"}


async def test_what_is_refused_is_said(line: Line, postgres_dsn: Dsns) -> None:
    """By the API with its words, and where it is not there with what to do; 1."""
    refused = await line("send", "--to", "+15551234567", "--channel", "rcs", "Hello")
    assert refused.code == 1 and "$.channel" in refused.err
    wrong = await line("send", "--to", "+15551234567", "Hello", THREADLINE_API_KEY="tl_wrong")
    assert wrong.code == 1 and "not an API key" in wrong.err
    away = await line("send", "--to", "+15551234567", "Hello", THREADLINE_API_URL="http://127.0.0.1:1")
    assert away.code == 1 and "threadline doctor" in away.err
    assert await count(postgres_dsn) == 0


async def test_the_key_is_found(line: Line) -> None:
    """In a file that is named, or where the embedded system keeps it; else the error says how to get one."""
    arguments = ("send", "--to", "+15551234567", "Hello")
    token = line.environment.pop("THREADLINE_API_KEY")
    none = await line(*arguments)
    assert none.code == 1 and "threadline keys create" in none.err
    kept = line.folder / "data" / "secrets" / "api_key"
    kept.parent.mkdir(parents=True)
    kept.write_text(token + "\n")
    assert (await line(*arguments)).code == 0
    kept.rename(line.folder / "key")
    assert (await line(*arguments, "--key", f"@{line.folder / 'key'}")).code == 0


GOOD = [SMS | {"body": f"Hello {number}"} for number in range(110)]
BAD = [
    (b"{", "$: must be JSON"),
    (b"[]", "$: must be an object"),
    (SMS | {"to": "x"}, "$.to"),
    ({"to": "+15551234567"}, "$: needs one of"),
    (SMS | {"channel": "rcs"}, "$.channel"),
    (SMS | {"clientId": "another"}, "$.clientId"),
]


async def test_a_file_is_sent_once(line: Line, postgres_dsn: Dsns) -> None:
    """What is good is sent, what is bad is reported with its line and path; run again, nothing is sent twice, and
    mended, what was mended is sent; by another name all is sent anew."""
    same = [SMS | {"body": "the same"}] * 3
    lines: list[Any] = [*GOOD, *same, b"", SMS | {"messageId": "m-1"}]
    for place, (bad, _) in enumerate(BAD):
        lines.insert(place * 20, bad)
    file = line.file(*lines)
    for run in range(2):
        ran = await line("send", "--file", file)
        assert ran.code == 1
        assert ran.out == ("114 accepted, 6 refused\n" if run == 0 else "114 accepted before, 6 refused\n")
        for place, (_, words) in enumerate(BAD):
            assert f"line {place * 20 + 1}: {words}" in ran.err
    assert await count(postgres_dsn) == 114
    mended = [*lines[:40], SMS | {"body": "mended"}, *lines[41:]]
    ran = await line("send", "--file", line.file(*mended))
    assert (ran.code, ran.out) == (1, "1 accepted, 114 accepted before, 5 refused\n")
    good = [one for one in mended if one not in [bad for bad, _ in BAD]]
    ran = await line(
        "send", "--file", "-", "--run", "again", given=b"\n".join(orjson.dumps(one) for one in good if one)
    )
    assert (ran.code, ran.out) == (0, "114 accepted, 1 accepted before\n")


async def test_a_broken_run_is_repeated(line: Line, postgres_dsn: Dsns) -> None:
    """Where the API goes away in the middle, the rest is sent by the next run, and no line twice."""
    file = line.file(*GOOD)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as connection:
        await connection.execute(
            "CREATE FUNCTION threadline.full_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF (SELECT count(*) FROM threadline.messages) >= 60 THEN RAISE EXCEPTION 'full' USING ERRCODE = '57P03'; "
            "END IF; RETURN NULL; END $$"
        )
        await connection.execute(
            "CREATE TRIGGER full_up AFTER INSERT ON threadline.messages EXECUTE FUNCTION threadline.full_up()"
        )
        ran = await line("send", "--file", file)
        assert (ran.code, ran.out) == (1, "50 accepted\n") and "run the same again" in ran.err
        await connection.execute("DROP TRIGGER full_up ON threadline.messages")
    ran = await line("send", "--file", file)
    assert (ran.code, ran.out) == (0, "60 accepted, 50 accepted before\n")
    assert await count(postgres_dsn) == 110


async def test_a_file_by_one_channel_at_a_rate(line: Line, postgres_dsn: Dsns) -> None:
    """The channel is that of all lines; a rate below a batch makes batches of it."""
    lines = [{"to": "+15551234567", "body": f"Hello {number}"} for number in range(9)]
    ran = await line("send", "--file", line.file(*lines), "--channel", "sms", "--rate", "5")
    assert (ran.code, ran.out) == (0, "9 accepted\n")
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as connection:
        cursor = await connection.execute("SELECT count(DISTINCT accepted_at) FROM threadline.messages")
        assert await cursor.fetchone() == (2,)


async def test_a_message_is_followed(line: Line, postgres_dsn: Dsns) -> None:
    """Shown, explained, released and cancelled; 1 where there is none, or its state does not allow it."""
    id = (await line("send", "--to", "+15551234567", "--channel", "sms", "Hello")).out.strip()
    shown = await line("messages", "show", id)
    assert shown.code == 0 and "queued" in shown.out and "+15551234567" in shown.out
    explained = await line("messages", "explain", id)
    assert explained.out.startswith("queued\nit is due")
    refused = await line("messages", "release", id)
    assert (refused.code, refused.err) == (1, "It is not held: it is queued.\n")
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as connection:
        await connection.execute("UPDATE threadline.messages SET state = 'unanswered'")
        await connection.execute(
            "INSERT INTO threadline.attempts (id, number, channel, account, outcome, error) SELECT id, 1, 'sms', "
            """'twilio', 'unanswered', '{"code": "no answer", "text": "timed out", "reason": "unknown"}' """
            "FROM threadline.messages"
        )
        assert (await line("messages", "release", id)).code == 1
        assert "no answer timed out" in (await line("messages", "show", id)).out
        assert (await line("messages", "release", id, "--resend")).out == "queued\n"
        assert (await line("messages", "cancel", id)).out == "cancelled\n"
        await connection.execute("UPDATE threadline.messages SET state = 'sending'")
        asked = await line("messages", "cancel", id)
        assert (asked.code, asked.out) == (0, "sending\n") and "may arrive" in asked.err
        await connection.execute("UPDATE threadline.messages SET state = 'sent'")
        assert (await line("messages", "cancel", id)).code == 1
    for action in ("show", "cancel"):
        none = await line("messages", action, "none/at all")
        assert (none.code, none.err) == (1, "No message of this client has this id.\n")


async def test_what_a_command_shows_is_what_its_key_sees(line: Line) -> None:
    """A mask without `personal:read`, and the address with it."""
    id = (await line("send", "--channel", "sms", "--to", "+15551234567", "Hello")).out.strip()
    key = await line.served.key("messages:read")
    masked = await line("messages", "show", id, THREADLINE_API_KEY=key)
    assert masked.code == 0 and "+1 555 ••• ••67" in masked.out and "+15551234567" not in masked.out
    assert "+15551234567" in (await line("messages", "show", id)).out
