"""Connections end when their server is gone without a word."""

from sql.pool import VIGILANT, vigilant


def test_the_connection_string_wins() -> None:
    """What it sets stays, the rest is added, for one server and for several."""
    assert vigilant("postgresql://u:p@db/threadline") == VIGILANT
    several = "postgresql://u:p@a:5432,b:5433/threadline?target_session_attrs=read-write&keepalives_idle=60"
    assert vigilant(several) == {name: value for name, value in VIGILANT.items() if name != "keepalives_idle"}
