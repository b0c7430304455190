"""What `threadline up` prints once it runs."""

from pathlib import Path

from app.embedded import sample


def test_ports_that_moved_are_said_where_the_address_is(tmp_path: Path) -> None:
    """A line by itself for each, beside the address: the line of the start has scrolled away."""
    moved = ["port 8080 is taken, so 8082 instead", "port 8081 is taken, so 8083 instead"]
    lines = sample.text("http://127.0.0.1:8082", tmp_path, moved).splitlines()
    assert [line.partition(": ")[2].partition(":")[0] for line in lines if line.startswith("Note: ")] == moved
    assert lines.index("Threadline is up: http://127.0.0.1:8082") + 2 == min(
        lines.index(line) for line in lines if line.startswith("Note: ")
    )
    assert "Note" not in sample.text("http://127.0.0.1:8080", tmp_path)
