"""Endless tasks end when they are cancelled, also where a call loses the cancellation (`webhooks.cancelled`)."""

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.failures import keep_on, until_done
from agents.health import WorkerHealth
from webhooks.cancelled import rest

ROOT = Path(__file__).parents[2]
#: Commands, and what people's own programs and tests run, end with their process.
BRIEF = ("app/cli/", "app/client/", "app/embedded/", "app/simulator/")
FILES = [
    file
    for floor in ("agents", "app", "webhooks", "sql")
    for file in sorted((ROOT / floor).rglob("*.py"))
    if not str(file.relative_to(ROOT)).startswith(BRIEF)
]
#: What catches everything.
ANY = {"Exception", "BaseException", None}
_FUNCTIONS = (ast.AsyncFunctionDef, ast.FunctionDef, ast.Lambda, ast.ClassDef)


def losing(tree: ast.Module) -> list[str]:
    """Return where a coroutine may lose its cancellation: it goes on after an error of an awaited call, any error, or some error in a
    loop without end, without having passed the cancellation on; and where such a loop waits with `wait_for`, which loses it itself, or sleeps though it may
    have been lost before."""
    return [found for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) for found in _losing(node)]


def _losing(function: ast.AsyncFunctionDef) -> Iterator[str]:
    for node, endless in _within(function.body, endless=False):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.wait_for":
            yield f"{function.name}, line {node.lineno}: asyncio.wait_for"
        if endless and isinstance(node, ast.Attribute) and ast.unparse(node) == "asyncio.sleep":
            yield f"{function.name}, line {node.lineno}: asyncio.sleep, not rest"
        if not isinstance(node, ast.Try) or not any(_awaits(each) for each in node.body):
            continue
        for handler in node.handlers:
            names = {_name(each) for each in _caught(handler)}
            if (
                not (endless or names & ANY)
                or _raises(handler, endless=endless and not names & ANY)
                or _passes(handler)
            ):
                continue
            yield f"{function.name}, line {handler.lineno}: goes on after {handler.type and ast.unparse(handler.type)}"


def _within(nodes: list[ast.stmt], *, endless: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield the nodes of a function's own body, each with whether it is in a loop without end."""
    waiting: list[tuple[ast.AST, bool]] = [(node, endless) for node in nodes]
    while waiting:
        node, within = waiting.pop()
        yield node, within
        if not isinstance(node, _FUNCTIONS):
            loop = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and bool(node.test.value)
            waiting += [(child, within or loop) for child in ast.iter_child_nodes(node)]


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(each, ast.Await | ast.AsyncWith | ast.AsyncFor) for each, _ in _within([node], endless=False))  # type: ignore[list-item]


def _caught(handler: ast.ExceptHandler) -> list[ast.expr | None]:
    caught = list(handler.type.elts) if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [each for each in caught if not isinstance(each, ast.Starred)]


def _name(node: ast.expr | None) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


def _raises(handler: ast.ExceptHandler, *, endless: bool) -> bool:
    """Return whether the loop never goes on after it."""
    return isinstance(handler.body[-1], (ast.Raise, ast.Return, ast.Break) if endless else ast.Raise)


def _passes(handler: ast.ExceptHandler) -> bool:
    calls = (each.value for each in handler.body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call))
    return any(_name(call.func) == "pass_on" for call in calls)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_coroutine_goes_on_though_it_was_cancelled(file: Path) -> None:
    """Whoever catches any error of a call, or some in a loop without end, passes a lost cancellation on first."""
    found = losing(ast.parse(file.read_text("utf-8")))
    if file.is_relative_to(ROOT / "sql"):  # below `rest`: its pauses are short
        found = [each for each in found if not each.endswith("not rest")]
    assert found == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("while True:\n   try:\n    await a()\n   except OSError:\n    pass", 1),
        ("while True:\n   try:\n    await a()\n   except OSError as e:\n    pass_on(e)", 0),
        ("while True:\n   try:\n    await a()\n   except OSError:\n    return", 0),
        ("while x:\n   try:\n    await a()\n   except OSError:\n    pass", 0),
        ("try:\n   await a()\n  except Exception:\n   return 1", 1),
        ("try:\n   await a()\n  except (OSError, Exception):\n   raise", 0),
        ("try:\n   b()\n  except Exception:\n   pass", 0),
        ("await asyncio.wait_for(a(), 1)", 1),
        ("while True:\n   await asyncio.sleep(1)", 1),
        ("while True:\n   await rest(1)", 0),
        ("await asyncio.sleep(1)", 0),
    ],
)
def test_what_loses_a_cancellation_is_found(text: str, found: int) -> None:
    """The walk sees what it is to see."""
    assert len(losing(ast.parse(f"async def f():\n  {text}"))) == found


async def test_a_cancellation_that_a_call_loses_ends_the_work_of_a_worker() -> None:
    """As `asyncio.wait_for` loses it: the call raises its own error though the task is being cancelled."""

    async def loses() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("lost") from None

    for work in (keep_on("anchor x", loses, WorkerHealth()), until_done("database", loses, WorkerHealth())):
        task = asyncio.create_task(work)
        await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        task.cancel()
        assert done and task.cancelled()


async def test_a_rest_ends_where_a_round_that_succeeded_lost_the_cancellation() -> None:
    """What the round waited for came at the moment of the cancellation: the loop goes on to its rest, of an hour for some."""
    came: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def endless() -> None:
        while True:
            await asyncio.wait_for(came, 60)
            await rest(3600)

    task = asyncio.create_task(endless())
    await asyncio.sleep(0.01)
    came.set_result(None)
    task.cancel()
    async with asyncio.timeout(5):
        await asyncio.wait([task])
    assert task.cancelled()


async def test_a_rest_is_a_sleep() -> None:
    """A task that is not cancelled rests as long as it asked, also within a time limit that was kept."""
    async with asyncio.timeout(60):
        await rest(0)
    await rest(0.001)
