"""`threadline send --file`: send the messages of a file with one JSON object a line, in batches, each line once."""

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
from app.cli.send.single import ANY_CLIENT
from app.cli.support.api import ApiError, Caller, api, error_text
from app.cli.support.terminal import FAILED, MISUSED, print_error, why
from app.client import Call, Client
from app.sending.requests import read_request
from schemas import SchemaError
from schemas.events import CHANNELS
from schemas.faults import lines
from schemas.json_text import read_json

#: The largest batch and the largest line in bytes, below the limit of the API.
BYTES = 768 << 10
#: Tries of a batch while the API is away or busy: half a minute.
TRIES = 7
#: Refused lines that are printed one by one; further ones are only counted.
PRINTED = 50
#: What is said of a run that did not come to its end, and its exit code where Ctrl-C ended it.
STOPPED, INTERRUPTED = "Stopped: run the same again; messages that were accepted are not sent twice.", 130


class Line(NamedTuple):
    """A message of the file. Its document has an idempotency key, so that it is sent once."""

    number: int
    document: dict[str, Any]
    size: int


@dataclass
class Sent:
    """Counts of the lines by their outcome."""

    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    checked: int = 0

    def refuse(self, number: int, words: str) -> None:
        """Count a refused line, and print why."""
        self.refused += 1
        if self.refused <= PRINTED:
            print_error(f"line {number}: {words}")
        elif self.refused == PRINTED + 1:
            print_error("further ones are only counted")


def run_file(
    path: str, *, channel: str | None, rate: float, name: str, dry_run: bool, caller: Caller, alone: bool,
) -> int:  # fmt: skip
    """Send the lines of a file; return 1 where any was refused or not all could be sent, 2 for options that do not fit.

    `alone` is false where options that describe one message were given too.
    """
    if not alone:
        return print_error("The file describes its messages: give --file, or the options of one message.", MISUSED)
    if channel is not None and channel not in CHANNELS:
        return print_error(f"There is no channel {channel}. The channels: {', '.join(CHANNELS)}.", MISUSED)
    sent = Sent()
    try:
        with ExitStack() as stack:
            file, total = stack.enter_context(_opened(path))
            bar = stack.enter_context(_bar(total))
            lines = read(file, channel, name, sent, bar)
            if dry_run:
                sent.checked = sum(1 for _ in lines)
            else:
                client = stack.enter_context(api(caller, TRIES))
                _send(client, f"/v1/{channel}/messages" if channel else "/v1/messages", lines, sent, rate)
    except ApiError as error:
        print_error(str(error))
        return _summary(sent, STOPPED, FAILED)
    except KeyboardInterrupt:
        if dry_run:
            raise
        return _summary(sent, STOPPED, INTERRUPTED)
    except (OSError, UnicodeDecodeError) as error:
        return print_error(f"{path} cannot be read: {why(error)}", MISUSED)
    if dry_run:
        return _summary(sent, "Nothing was sent.", FAILED if sent.refused else 0)
    return _summary(
        sent, "Correct the refused lines, and run the command again." if sent.refused else "", bool(sent.refused)
    )


def read(file: IO[bytes], channel: str | None, name: str, sent: Sent, bar: Progress) -> Iterator[Line]:
    """Return the lines that are valid messages, and count the others as refused.

    A line without a message id gets an idempotency key: a digest of the run's `name`, the channel and its content, with
    the number of equal lines before it. So it keeps its key when other lines are corrected.
    """
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
            sent.refuse(number, "; ".join(lines(error.faults)))
            continue
        if "messageId" not in document and "idempotencyKey" not in document:
            content = orjson.dumps([name, channel, document], option=orjson.OPT_SORT_KEYS)
            digest = sha256(content).digest()
            seen[digest] += 1
            document["idempotencyKey"] = f"line:{digest.hex()}:{seen[digest]}"
        yield Line(number, document, len(text))


def _client(document: Any) -> str:
    """Return the client id that a line names, for the check here; the API compares it with that of the key."""
    named = document.get("clientId") if isinstance(document, dict) else None
    return named if isinstance(named, str) and named else ANY_CLIENT


def _send(client: Client, path: str, lines: Iterator[Line], sent: Sent, rate: float) -> None:
    due = time.monotonic()
    for batch in _batches(lines, MOST if rate <= 0 else max(1, min(MOST, int(rate)))):
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due, time.monotonic() - 1) + (len(batch) / rate if rate > 0 else 0)
        response = client.respond(Call("POST", path, body=[line.document for line in batch], safe=True))
        if response.status_code not in (202, 422):
            raise ApiError(f"line {batch[0].number} and on: {error_text(response)}")
        _note(batch, response, sent)


def _note(batch: list[Line], response: httpx.Response, sent: Sent) -> None:
    outcomes = response.json().get("messages")
    if outcomes is None:
        raise ApiError(f"line {batch[0].number} and on: {error_text(response)}")
    for line, one in zip(batch, outcomes, strict=True):
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
    """Open the file, or standard input for `-`; return it with the number of its lines, None where it is not seekable."""
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
    """Return a progress bar of lines on standard error, which only a terminal shows."""
    console = Console(stderr=True)
    columns = (TextColumn("Lines"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task("", total=total)
        yield bar


def _summary(sent: Sent, words: str, code: int) -> int:
    """Print the counts on standard output and `words` on standard error; return the code."""
    counts = (
        (sent.checked, "valid"),
        (sent.accepted, "accepted"),
        (sent.duplicate, "accepted before"),
        (sent.refused, "refused"),
    )
    none = "None accepted" if words == STOPPED else "No messages in it"
    print(", ".join(f"{count} {what}" for count, what in counts if count) or none)
    return print_error(words, code) if words else code
