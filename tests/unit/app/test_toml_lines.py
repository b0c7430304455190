"""The line of each setting in a TOML file."""

import pytest

from app.toml_lines import lines_of

TEXT = '''# The first line is a comment.
data = "x"

[door]
port = 1  # [blobs]
trusted_proxies = [
    "10.0.0.0/8",
]
[blobs.s3]
bucket = """
[sources.none]
port = 2
"""
[sources."a.b"]
url.host = "h"
auth_token = ["one",
  "two"]
sms = {sender = "s"}
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("data",), 2),
        (("door",), 4),
        (("door", "port"), 5),
        (("door", "trusted_proxies"), 6),
        (("blobs", "s3"), 9),
        (("blobs", "s3", "bucket"), 10),
        (("sources", "a.b"), 14),
        (("sources", "a.b", "url", "host"), 15),
        (("sources", "a.b", "auth_token"), 16),
        (("sources", "a.b", "sms", "sender"), 18),
        (("sources", "none"), None),
        (("blobs", "s3", "port"), None),
    ],
)
def test_each_setting_has_the_line_in_which_it_begins(path: tuple[str, ...], line: int | None) -> None:
    """A list or a text of several lines counts by its first, and what looks like a header within it is none."""
    assert lines_of(TEXT).get(path) == line


def test_a_text_that_is_no_toml_has_no_lines() -> None:
    """The parser's own error has the line."""
    assert lines_of("[door\nport = 1\n") == {}


def test_line_ends_of_windows_and_an_array_of_tables_are_read() -> None:
    """A table of an array counts as the array's name."""
    assert lines_of("a = 1\r\n[[b.c]]\r\nd = 2\r\n[[b.c]]\r\nd = 3\r\n") == {
        ("a",): 1,
        ("b", "c"): 2,
        ("b", "c", "d"): 3,
    }
