"""A handle's key seals the same to the same, opens it in its own place alone, and cannot be made again without the salt."""

from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from sql.handles import Known, Owned
from sql.known import LIFETIME as KNOWN
from sql.known import KnownHandles
from sql.personal.keys import LIFETIME, ROOT_BYTES, SALT_BYTES, HandleKey, HandleKeys, handle_of, new_salt
from sql.sealing import Tampered

ROOT, OTHER = bytes(range(32)), bytes(range(32, 64))
ANA, BEN = UUID(int=1), UUID(int=2)
PLACE = b"payload.content.text"

#: RFC 5297, appendix A.1 and A.2: key, associated data (the nonce last), plain text, sealed.
VECTORS = [
    (
        "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
        ["101112131415161718191a1b1c1d1e1f2021222324252627"],
        "112233445566778899aabbccddee",
        "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c",
    ),
    (
        "7f7e7d7c7b7a79787776757473727170404142434445464748494a4b4c4d4e4f",
        [
            "00112233445566778899aabbccddeeffdeaddadadeaddadaffeeddccbbaa99887766554433221100",
            "102030405060708090a0",
            "09f911029d74e35bd84156c5635688c0",
        ],
        "7468697320697320736f6d6520706c61696e7465787420746f20656e6372797074207573696e67205349562d414553",
        "7bdb6e3b432667eb06f4d14bff2fbd0fcb900f2fddbe404326601965c889bf17"
        "dba77ceb094fa663b7a3f748ba8af829ea64ad544a272e9c485b62a3fd5c0d",
    ),
]


@pytest.mark.parametrize(("key", "associated", "plain", "sealed"), VECTORS, ids=["A.1", "A.2"])
def test_the_cipher_is_that_of_the_rfc(key: str, associated: list[str], plain: str, sealed: str) -> None:
    """The library gives the results that the RFC prints."""
    siv, data = AESSIV(bytes.fromhex(key)), [bytes.fromhex(one) for one in associated]
    assert siv.encrypt(bytes.fromhex(plain), data).hex() == sealed
    assert siv.decrypt(bytes.fromhex(sealed), data).hex() == plain


def test_a_key_is_always_the_same() -> None:
    """A sealed value of an earlier version still opens: derivation, cipher and form are fixed."""
    sealed = HandleKey(ANA, bytes(SALT_BYTES), ROOT).seal(b"Hello", PLACE)
    assert sealed.hex() == "0100000000000000000000000000000001124dc90c2dd48ddcc064b1eadcef360763b188295a"


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=30))
def test_what_is_sealed_opens(plain: bytes, place: bytes) -> None:
    """Whatever it is, also by another process with the same root key and salt; the same is sealed the same."""
    salt = new_salt()
    sealed = HandleKey(ANA, salt, ROOT).seal(plain, place)
    again = HandleKey(ANA, salt, ROOT)
    assert again.open(sealed, place) == plain
    assert again.seal(plain, place) == sealed
    assert handle_of(sealed) == ANA
    assert len(plain) < 4 or plain not in sealed


def test_handles_places_salts_and_roots_have_nothing_in_common() -> None:
    """One text is sealed in another way under each, and opens under none of the others."""
    salt, other = new_salt(), new_salt()
    sealed = HandleKey(ANA, salt, ROOT).seal(b"Hello", PLACE)
    for key, place in (
        (HandleKey(BEN, salt, ROOT), PLACE),
        (HandleKey(ANA, other, ROOT), PLACE),
        (HandleKey(ANA, salt, OTHER), PLACE),
        (HandleKey(ANA, salt, ROOT), b"payload.content.subject"),
    ):
        assert key.seal(b"Hello", place)[17:] != sealed[17:]
        with pytest.raises(Tampered):
            key.open(sealed, place)


def test_every_changed_bit_and_every_cut_is_noticed() -> None:
    """Nothing is returned that was not sealed."""
    key = HandleKey(ANA, new_salt(), ROOT)
    sealed = key.seal(b"Hello", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Tampered):
            key.open(bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(Tampered):
            key.open(sealed[:length], PLACE)


@pytest.mark.parametrize("sealed", [b"", b"\1" + bytes(31), b"\2" + bytes(40), b"sealed"])
def test_what_was_not_sealed_has_no_handle(sealed: bytes) -> None:
    """It is too short, or of another version."""
    with pytest.raises(Tampered):
        handle_of(sealed)


def test_salts_and_roots_of_another_length_are_refused() -> None:
    """A cut one would give a key that nobody can make again."""
    assert len(new_salt()) == SALT_BYTES and new_salt() != new_salt()
    for salt, root in (
        (new_salt()[:-1], ROOT),
        (new_salt() + b"x", ROOT),
        (new_salt(), ROOT[:-1]),
        (new_salt(), bytes(ROOT_BYTES + 1)),
    ):
        with pytest.raises(ValueError, match="32 bytes"):
            HandleKey(ANA, salt, root)


def test_derived_keys_are_kept_for_a_minute_at_most() -> None:
    """A key is made once, then again after its time, whatever lifetime was asked for; what is over can be thrown out."""
    now = 0.0
    keys = HandleKeys(lifetime=10 * LIFETIME, now=lambda: now)
    salt = new_salt()
    first = keys.key(ANA, salt, ROOT)
    now = LIFETIME - 1
    assert keys.key(ANA, salt, ROOT) is keys.kept(ANA) is first
    now = LIFETIME
    assert keys.kept(ANA) is None
    keys.expire()
    assert len(keys) == 0
    assert keys.key(ANA, salt, ROOT) is not first
    now = 2 * LIFETIME - 1
    keys.expire()
    assert len(keys) == 1


def test_a_key_is_not_kept_for_longer_than_its_salt_counts() -> None:
    """A salt that was found a while ago, and derived from only now: the two times do not add up."""
    now = 0.0
    known, keys = KnownHandles(now=lambda: now), HandleKeys(lifetime=KNOWN, now=lambda: now)
    owned = Owned("shop", "phone", "+15551234567")
    known.keep(owned, Known(ANA, new_salt(), known.until()))
    keys.key(BEN, new_salt(), ROOT)
    now = KNOWN - 1
    found = known.get(owned)
    assert found is not None
    keys.key(BEN, new_salt(), ROOT)
    keys.key(found.id, found.salt, ROOT, found.until)
    assert keys.kept(ANA) is not None
    now = KNOWN
    assert known.get(owned) is None and keys.kept(ANA) is None
    assert len(keys) == 2
    keys.expire()
    assert len(keys) == 1 and keys.kept(BEN) is not None


def test_a_dropped_key_is_gone_and_the_others_stay() -> None:
    """At an erasure the handle's key is forgotten at once."""
    keys = HandleKeys()
    salt = new_salt()
    ana, ben = keys.key(ANA, salt, ROOT), keys.key(BEN, salt, ROOT)
    keys.drop(ANA)
    keys.drop(ANA)
    assert len(keys) == 1
    assert keys.key(BEN, salt, ROOT) is ben
    assert keys.kept(ANA) is None
    assert keys.key(ANA, salt, ROOT) is not ana


def test_a_handle_with_a_new_salt_has_a_new_key_at_once() -> None:
    """As after a restore, when the handle was made anew."""
    keys = HandleKeys()
    salt, other = new_salt(), new_salt()
    assert keys.key(ANA, salt, ROOT).seal(b"Hello", PLACE) != keys.key(ANA, other, ROOT).seal(b"Hello", PLACE)


def test_the_number_of_kept_keys_is_limited() -> None:
    """The oldest go first."""
    keys = HandleKeys(most=10)
    salt, handles = new_salt(), [uuid4() for _ in range(30)]
    made = [keys.key(handle, salt, ROOT) for handle in handles]
    assert len(keys) == 10
    assert keys.key(handles[-1], salt, ROOT) is made[-1]
    assert keys.key(handles[0], salt, ROOT) is not made[0]
