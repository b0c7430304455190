"""Raw webhooks in blocks."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from sql.blocks import pack, unpack


@given(st.lists(st.binary(max_size=300)))
def test_records_come_back_byte_for_byte(records: list[bytes]) -> None:
    """Empty ones too, in their order; the size is that of the records with their lengths."""
    size, block = pack(records)

    assert list(unpack(block)) == records
    assert size == sum(4 + len(record) for record in records)


def test_alike_records_take_little_room() -> None:
    """A thousand webhooks that differ by an id are several times smaller together."""
    records = [b'{"MessageSid":"SM%032d","MessageStatus":"delivered","To":"+15550000001"}' % n for n in range(1000)]
    size, block = pack(records)

    assert len(block) * 4 < size


@pytest.mark.parametrize("block", [b"", b"nothing of ours", pack([b"x" * 1000])[1][:-5]])
def test_what_is_no_block_is_reported(block: bytes) -> None:
    """A damaged one gives no records instead of wrong ones."""
    with pytest.raises(zstandard.ZstdError):
        list(unpack(block))
