"""The threat model names tests that exist, and says plainly what is open."""

import re

from tests.unit.docs.pages import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
THREATS = PAGE.partition("## Threats")[2].partition("\n## ")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in THREATS.splitlines() if line.startswith("|")][
    2:
]


def test_each_threat_names_a_test_or_is_open() -> None:
    """Each line ends with a test that is there, or with `open` and why."""
    threats = [row for row in ROWS if not row[0].startswith("**")]
    assert len(threats) > 30
    for threat, defence, covered in threats:
        assert defence, threat
        if covered.startswith("open: "):
            continue
        named = re.fullmatch(r"`(tests/[\w/]+\.py)::(test_\w+)`", covered)
        assert named, (threat, covered)
        file = ROOT / named[1]
        assert file.is_file(), covered
        assert re.search(rf"^(async )?def {named[2]}\(", file.read_text(), re.MULTILINE), covered


def test_every_letter_of_stride_has_threats() -> None:
    """The six kinds are all there, in their order."""
    kinds = [row[0].strip("*") for row in ROWS if row[0].startswith("**")]
    assert kinds == [
        "Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation of privilege",
    ]  # fmt: skip
