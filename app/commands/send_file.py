"""`threadline send --file`: messages from a file with one JSON object a line, in batches, each line once."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import IO, Any, NamedTuple

import httpx
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.api.batch import MOST
from app.commands.asking import Failed, asking, post, refusal
from app.commands.send import SOMEBODY
from app.commands.terminal import FAILED, MISUSED, say
from app.sending.requests import read_request
from schemas import SchemaError
from schemas.events import CHANNELS
from schemas.json_text import read_json

#: Bytes of a batch, below what the API takes, and of a line.
BYTES = 768 << 10
#: Tries of a batch while the API is away or busy: half a minute.
TRIES = 7
#: Faults that are told one by one; the others are counted.
TOLD = 50


class Line(NamedTuple):
    """A message of the file, with a key of its own, so that it is sent once."""

    number: int
    document: dict[str, Any]
    size: int


@dataclass
class Sent:
    """What became of the lines."""

    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    checked: int = 0

    def refuse(self, number: int, words: str) -> None:
        """Note a line that is refused, and say so."""
        self.refused += 1
        if self.refused <= TOLD:
            say(f"line {number}: {words}", FAILED)
        elif self.refused == TOLD + 1:
            say("further ones are only counted", FAILED)


def run_file(
    path: str, *, channel: str | None, rate: float, name: str, dry_run: bool, key: str | None, url: str | None,
    alone: bool,
) -> int:  # fmt: skip
    """Send the lines of a file. 1 where any was refused, or not all could be asked for."""
    if not alone:
        return say("A file has its messages by itself: give --file, or the parts of one message.", MISUSED)
    if channel is not None and channel not in CHANNELS:
        return say(f"There is no channel {channel}. The channels: {', '.join(CHANNELS)}.", MISUSED)
    sent = Sent()
    try:
        with ExitStack() as stack:
            file, total = stack.enter_context(_opened(path))
            bar = stack.enter_context(_bar(total))
            lines = read(file, channel, name, sent, bar)
            if dry_run:
                sent.checked = sum(1 for _ in lines)
            else:
                http = stack.enter_context(asking(key, url))
                _send(http, f"/v1/{channel}/messages" if channel else "/v1/messages", lines, sent, rate)
    except Failed as error:
        say(str(error), FAILED)
        return _summary(sent, "Stopped; run the same again: what was accepted is not sent twice.", FAILED)
    except (OSError, UnicodeDecodeError) as error:
        return say(f"{path} cannot be read: {error}", MISUSED)
    if dry_run:
        return _summary(sent, "Nothing was sent.", FAILED if sent.refused else 0)
    return _summary(sent, "Mend the refused lines, and run it again." if sent.refused else "", bool(sent.refused))


def read(file: IO[bytes], channel: str | None, name: str, sent: Sent, bar: Progress) -> Iterator[Line]:
    """The lines that are messages, each under a key that follows from what it says, which of its like it is, and the
    run's `name`; so that it is the same line again in a file that was mended above it. Others are refused."""
    seen: Counter[bytes] = Counter()
    for number, text in enumerate(file, 1):
        bar.advance(bar.task_ids[0])
        if not text.strip():
            continue
        try:
            document = read_json(text)
            if len(text) > BYTES:
                raise SchemaError("$", f"has more than {BYTES} bytes")
            read_request(document, client_id=_client(document), channel=channel)
        except SchemaError as error:
            sent.refuse(number, str(error))
            continue
        if "messageId" not in document and "idempotencyKey" not in document:
            said = orjson.dumps([name, channel, document], option=orjson.OPT_SORT_KEYS)
            digest = sha256(said).digest()
            seen[digest] += 1
            document["idempotencyKey"] = f"line:{digest.hex()}:{seen[digest]}"
        yield Line(number, document, len(text))


def _client(document: Any) -> str:
    """Whom the line names, for the check here; whether that is the key's client, the API says."""
    named = document.get("clientId") if isinstance(document, dict) else None
    return named if isinstance(named, str) and named else SOMEBODY


def _send(http: httpx.Client, path: str, lines: Iterator[Line], sent: Sent, rate: float) -> None:
    due = time.monotonic()
    for batch in _batches(lines, MOST if rate <= 0 else max(1, min(MOST, int(rate)))):
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1) + (len(batch) / rate if rate > 0 else 0)
        response = post(http, path, [line.document for line in batch], TRIES)
        if response.status_code not in (202, 422):
            raise Failed(f"line {batch[0].number} and on: {refusal(response)}")
        _note(batch, response, sent)


def _note(batch: list[Line], response: httpx.Response, sent: Sent) -> None:
    told = response.json().get("messages")
    if told is None:
        raise Failed(f"line {batch[0].number} and on: {refusal(response)}")
    for line, one in zip(batch, told, strict=True):
        if "error" in one:
            at = one["error"].get("path", "$").partition("]")[2]
            words = one["error"]["detail"].partition(": ")[2] or one["error"]["title"]
            sent.refuse(line.number, f"${at}: {words}")
        elif one.get("duplicate"):
            sent.duplicate += 1
        else:
            sent.accepted += 1


def _batches(lines: Iterator[Line], most: int) -> Iterator[list[Line]]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        if batch and (len(batch) == most or size + line.size > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += line.size + 128
    if batch:
        yield batch


@contextmanager
def _opened(path: str) -> Iterator[tuple[IO[bytes], int | None]]:
    """The file, and how many lines it has, where that can be known before."""
    if path == "-":
        yield sys.stdin.buffer, None
        return
    with open(path, "rb") as file:
        total = sum(1 for _ in file) if file.seekable() else None
        if total is not None:
            file.seek(0)
        yield file, total


@contextmanager
def _bar(total: int | None) -> Iterator[Progress]:
    """A progress bar of lines on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("Lines"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=total)
        yield bar


def _summary(sent: Sent, words: str, code: int) -> int:
    counts = (
        (sent.checked, "can be asked for"),
        (sent.accepted, "accepted"),
        (sent.duplicate, "asked for before"),
        (sent.refused, "refused"),
    )
    print(", ".join(f"{count} {what}" for count, what in counts if count) or "No messages in it")
    return say(words, code) if words else code
