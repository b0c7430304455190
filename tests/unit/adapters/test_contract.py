"""An adapter that contradicts itself is refused as it is made, and a provider is imported when it is first needed."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import adapters
from adapters import ADAPTERS, PROVIDERS
from adapters.contract import Adapter, Batch, LookUp, Once, Send, Setting

POSTMARK = ADAPTERS["postmark"]


def once(request: object) -> Once | None:
    return None


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "post mark"}, "cannot name a package"),
        ({"title": ""}, "needs a title"),
        ({"channels": frozenset()}, "no channel"),
        ({"channels": frozenset({"sms"})}, "does not have"),
        ({"events": frozenset(), "send": None}, "neither receives nor sends"),
        ({"events": frozenset(), "signs_body": True}, "signs none"),
        ({"signs_body": True, "once": once}, "no single-use token"),
        ({"settings": (Setting("a", "A."), Setting("b", "B.", aliases=("a",)))}, "two settings of one name"),
    ],
)
def test_an_adapter_that_contradicts_itself_is_refused(changes: dict[str, Any], why: str) -> None:
    """As it is made, so that a mistake in a package shows when it is imported."""
    with pytest.raises(ValueError, match=why):
        replace(POSTMARK, **changes)


def test_a_capability_that_contradicts_itself_is_refused() -> None:
    """A batch of one, a look-up before its call, a way to send by nothing."""
    send = POSTMARK.send
    assert send is not None and send.batch is not None and send.look_up is not None
    makers: list[Any] = [
        lambda: replace(send, channels=frozenset()),
        lambda: replace(send, idempotent_for=-1.0),
        lambda: Batch(size=1, build=send.batch.build, read=send.batch.read),
        lambda: LookUp(after=-1.0, build=send.look_up.build, read=send.look_up.read),
    ]
    for make in makers:
        with pytest.raises(ValueError):
            make()


def test_what_only_receives_sends_by_no_channel() -> None:
    """And what sends does so by those of its `Send`."""
    assert isinstance(POSTMARK, Adapter) and isinstance(POSTMARK.send, Send)
    assert POSTMARK.sends == POSTMARK.send.channels == {"email"}
    assert replace(POSTMARK, send=None).sends == frozenset()


def test_a_provider_is_imported_when_it_is_first_read() -> None:
    """Neither the registry nor a look at its names imports any; reading one imports that one."""
    code = (
        "import sys, adapters\n"
        "from adapters import ADAPTERS, PROVIDERS\n"
        "def there(): return [name for name in PROVIDERS if 'adapters.' + name in sys.modules]\n"
        "assert 'twilio' in ADAPTERS and len(ADAPTERS) == len(PROVIDERS) and list(ADAPTERS) == list(PROVIDERS)\n"
        "assert there() == [], there()\n"
        "assert ADAPTERS['telegram'].name == 'telegram' and there() == ['telegram'], there()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(ADAPTERS)[: len(PROVIDERS)] == list(PROVIDERS)


def test_no_name_of_the_package_is_a_provider() -> None:
    """When an adapter is imported, its package becomes an attribute of `adapters`, and would take the place of such a name."""
    tree = ast.parse(Path(adapters.__file__).read_text())
    imported = {
        (name.asname or name.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert "interpret" in defined
    assert not (imported | defined) & set(PROVIDERS)
