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


#: How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has: its first so many.
SECTIONS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4, "3.4": 6,
    "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12,
    "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2,
    "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1,
    "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5,
    "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip


def test_the_state_of_each_requirement_is_stated_once() -> None:
    """All of levels 1 and 2 of ASVS 5.0.0, each once; where one is not met in whole, it says what is missing."""
    table = PAGE.partition("## OWASP ASVS")[2]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    stated: list[str] = []
    for ids, _, state, where in rows[2:]:
        assert state in ("met", "partly", "not met", "not applicable"), ids
        assert where or state in ("met", "not applicable"), ids
        for part in ids.split(", "):
            first, _, last = part.partition(" to ")
            section, _, number = first.rpartition(".")
            end = (last or first).rpartition(".")[2]
            stated += [f"{section}.{each}" for each in range(int(number), int(end) + 1)]
    wanted = [f"{section}.{number + 1}" for section, count in SECTIONS.items() for number in range(count)]
    assert len(wanted) == 253
    assert sorted(stated) == sorted(wanted)
