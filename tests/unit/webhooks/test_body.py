"""Reading a body: whole, within its limits, or refused; and callers who leave."""

import pytest

from tests.unit.webhooks.doors import a_door, sms

DETAIL = "A body may have at most 10 bytes (door.max_body, or the source's own max_body)."


async def test_in_parts() -> None:
    """A body that comes in parts is put together unchanged."""
    async with a_door() as door:
        post = sms()
        answered = await door.ask("POST", headers=post.headers, body=[post.body[:10], b"", post.body[10:]])
        assert answered is not None
        assert answered.status == 200
        assert door.keep.kept[0][0].body == post.body


async def test_too_large_by_its_word() -> None:
    """A content-length above the limit is refused before anything is read, and the connection ends."""
    async with a_door(max_body=10) as door:
        answered = await door.ask("POST", headers={"content-length": "11"}, body=b"x", disconnect=True, whole=False)
        assert answered is not None
        assert (answered.status, answered.headers["connection"]) == (413, "close")
        assert answered.problem["detail"] == DETAIL


@pytest.mark.parametrize("parts", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x"] * 11])
async def test_too_large_without_a_word(parts: list[bytes]) -> None:
    """Without a content-length the limit holds while reading."""
    async with a_door(max_body=10) as door:
        answered = await door.ask("POST", body=parts)
        assert answered is not None
        assert answered.status == 413
        assert answered.problem["detail"] == DETAIL
        assert door.door.held == 0


async def test_exactly_at_the_limit() -> None:
    """A body as long as the limit is read."""
    async with a_door(max_body=10) as door:
        answered = await door.ask("POST", "/webhooks/aggregate/open", body=[b"x" * 5, b"x" * 5])
        assert answered is not None
        assert answered.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_encoded(encoding: str) -> None:
    """A compressed body is not taken: its signature is over other bytes, and its size is not known."""
    async with a_door() as door:
        answered = await door.ask("POST", headers={"content-encoding": encoding}, body=b"x")
        assert answered is not None
        assert answered.status == 415


async def test_identity() -> None:
    """`identity` is no encoding."""
    async with a_door() as door:
        post = sms()
        post.headers["content-encoding"] = "Identity"
        assert (await door.post(post)).status == 200


@pytest.mark.parametrize("parts", [[b""], [b"abc"], [b"abc", b"def"]])
async def test_a_caller_who_leaves(parts: list[bytes]) -> None:
    """Who leaves before his body is whole gets no answer, and is no error; nothing of it is kept."""
    async with a_door() as door:
        assert await door.ask("POST", "/webhooks/aggregate/open", body=parts, whole=False, disconnect=True) is None
        assert door.door.counters.disconnected == 1
        assert not door.keep.kept
        assert door.door.in_flight == 0
