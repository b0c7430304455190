"""No tracked file has a secret: an API key of our own, or a private key that is not a test's or documentation's."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What a secret looks like. A key of ours has a random id and a random secret in hexadecimal digits.
SHAPES = {
    "API key": re.compile(rb"tl_[0-9a-f]{32}_[0-9a-f]{64}"),
    "private key": re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/=\s\\n]{60}"),
    "AWS access key": re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "GitHub token": re.compile(rb"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
    "Slack token": re.compile(rb"\bxox[abprs]-[0-9]{8,}-[A-Za-z0-9-]{10,}"),
    "Google API key": re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b"),
    "Stripe or SendGrid key": re.compile(rb"\b(?:sk_live_[0-9A-Za-z]{24}|SG\.[\w-]{22}\.[\w-]{43})"),
}
#: Files with what looks like a secret, and what it is.
ALLOWED = {"tests/unit/adapters/test_amazon_ses.py": "the access key of Amazon's documentation"}


def found(text: bytes) -> list[str]:
    """Return the kinds of secrets in a text."""
    return [kind for kind, shape in SHAPES.items() if shape.search(text)]


def test_no_file_has_a_secret() -> None:
    """Of all tracked files none has one, but for those that are allowed; and those that are allowed still have one."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    files = [Path(name) for name in listed.decode().split("\0") if name and Path(ROOT, name).is_file()]
    assert len(files) > 1000
    having = {str(file): kinds for file in files if (kinds := found(Path(ROOT, file).read_bytes()))}
    assert {file: kinds for file, kinds in having.items() if file not in ALLOWED} == {}
    assert sorted(ALLOWED) == sorted(file for file in having if file in ALLOWED)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("API key", "tl_" + "0a" * 16 + "_" + "1b" * 32),
        ("private key", "-----BEGIN EC PRIVATE" + " KEY-----\n" + "A" * 64),
        ("AWS access key", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("GitHub token", "ghp_" + "a" * 36),
        ("Slack token", "xoxb" + "-123456789012-abcdefghijkl"),
        ("Google API key", "AIza" + "a" * 35),
        ("Stripe or SendGrid key", "SG." + "a" * 22 + "." + "b" * 43),
    ],
)
def test_a_secret_is_found(kind: str, text: str) -> None:
    """In the middle of a line."""
    assert found(f"x = '{text}'".encode()) == [kind]
