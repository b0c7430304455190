"""The digests of ids are HMAC-SHA-256, as Python's own makes it."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from sql.handles import as_stored
from sql.keyed_ids import IdKey


@given(st.binary(min_size=32, max_size=32), st.text())
def test_a_digest_is_the_first_half_of_an_hmac(root: bytes, id: str) -> None:
    """Also of ids that the store writes in another form than they came."""
    key = hmac.digest(root, b"threadline ids of others", "sha256")
    assert IdKey(root).digest(id) == hmac.digest(key, as_stored(id), "sha256").hex()[:32]
