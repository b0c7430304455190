"""A handle's key seals the same to the same, opens it in its own place alone, and cannot be made again without the salt."""

from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given
from hypothesis import strategies as st

from sql.personal.keys import LIFETIME, SALT_BYTES, HandleKeys
from sql.sealing import NoKey, Seal, Tampered

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
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
    salt = HandleKeys([OLD]).new_salt()[:8] + bytes(16)
    sealed = HandleKeys([OLD]).key(ANA, salt).seal(b"Hello", PLACE)
    assert sealed.hex() == "01b754419944d750c3124dc90c2dd48ddcc064b1eadcef360763b188295a"


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=30))
def test_what_is_sealed_opens(plain: bytes, place: bytes) -> None:
    """Whatever it is, also by another process with the same keys and salt; the same is sealed the same."""
    keys = HandleKeys([NEW])
    salt = keys.new_salt()
    sealed = keys.key(ANA, salt).seal(plain, place)
    again = HandleKeys([NEW]).key(ANA, salt)
    assert again.open(sealed, place) == plain
    assert again.seal(plain, place) == sealed
    assert len(plain) < 4 or plain not in sealed


def test_handles_places_and_salts_have_nothing_in_common() -> None:
    """One text is sealed in another way under each, and opens under none of the others."""
    keys = HandleKeys([NEW])
    salt, other = keys.new_salt(), keys.new_salt()
    sealed = keys.key(ANA, salt).seal(b"Hello", PLACE)
    for key, place in (
        (keys.key(BEN, salt), PLACE),
        (keys.key(ANA, other), PLACE),
        (keys.key(ANA, salt), b"payload.content.subject"),
    ):
        assert key.seal(b"Hello", place)[24:] != sealed[24:]
        with pytest.raises(Tampered):
            key.open(sealed, place)


def test_every_changed_bit_and_every_cut_is_noticed() -> None:
    """Nothing is returned that was not sealed."""
    keys = HandleKeys([NEW])
    key = keys.key(ANA, keys.new_salt())
    sealed = key.seal(b"Hello", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NoKey if 8 <= bit < 72 else Tampered):
            key.open(bytes(changed), PLACE)
    for length in range(len(sealed)):
        with pytest.raises(Tampered):
            key.open(sealed[:length], PLACE)


def test_keys_are_rotated() -> None:
    """With a new key in front, an old handle's data are sealed as before, and a new handle's under the new key. Without the old
    key the error names it."""
    before = HandleKeys([OLD])
    salt = before.new_salt()
    sealed = before.key(ANA, salt).seal(b"Hello", PLACE)
    both = HandleKeys([NEW, OLD])
    assert both.key(ANA, salt).seal(b"Hello", PLACE) == sealed
    assert both.new_salt()[:8].hex() == Seal([NEW]).key_id
    with pytest.raises(NoKey, match=Seal([OLD]).key_id):
        HandleKeys([NEW]).key(ANA, salt)


def test_a_handle_moved_to_a_new_key_still_opens_what_was_sealed_before() -> None:
    """The sealed value names its key; the salt only says which one seals."""
    both = HandleKeys([NEW, OLD])
    salt = HandleKeys([OLD]).new_salt()
    moved = both.new_salt()[:8] + salt[8:]
    sealed = both.key(ANA, salt).seal(b"Hello", PLACE)
    again = both.key(ANA, moved).seal(b"Hello", PLACE)
    assert again != sealed
    assert both.key(ANA, moved).open(sealed, PLACE) == both.key(ANA, moved).open(again, PLACE) == b"Hello"


def test_without_a_key_it_is_said_what_to_do() -> None:
    """As for clients' secrets."""
    with pytest.raises(NoKey, match="openssl rand -base64 32"):
        HandleKeys([]).new_salt()


def test_a_salt_of_another_length_is_refused() -> None:
    """A cut salt would give a key that nobody can make again."""
    keys = HandleKeys([NEW])
    assert len(keys.new_salt()) == SALT_BYTES
    for salt in (keys.new_salt()[:-1], keys.new_salt() + b"x"):
        with pytest.raises(ValueError, match="24 bytes"):
            keys.key(ANA, salt)


def test_derived_keys_are_kept_for_a_minute_at_most() -> None:
    """A key is made once, then again after its time, whatever lifetime was asked for; what is over can be thrown out."""
    now = 0.0
    keys = HandleKeys([NEW], lifetime=10 * LIFETIME, now=lambda: now)
    salt = keys.new_salt()
    first = keys.key(ANA, salt)
    now = LIFETIME - 1
    assert keys.key(ANA, salt) is first
    now = LIFETIME
    keys.expire()
    assert len(keys) == 0
    assert keys.key(ANA, salt) is not first
    now = 2 * LIFETIME - 1
    keys.expire()
    assert len(keys) == 1


def test_a_dropped_key_is_gone_and_the_others_stay() -> None:
    """At an erasure the handle's key is forgotten at once."""
    keys = HandleKeys([NEW])
    salt = keys.new_salt()
    ana, ben = keys.key(ANA, salt), keys.key(BEN, salt)
    keys.drop(ANA)
    keys.drop(ANA)
    assert len(keys) == 1
    assert keys.key(BEN, salt) is ben
    assert keys.key(ANA, salt) is not ana


def test_a_handle_with_a_new_salt_has_a_new_key_at_once() -> None:
    """As after an erasure, when the same address writes again."""
    keys = HandleKeys([NEW])
    salt, other = keys.new_salt(), keys.new_salt()
    assert keys.key(ANA, salt).seal(b"Hello", PLACE) != keys.key(ANA, other).seal(b"Hello", PLACE)


def test_the_number_of_kept_keys_is_limited() -> None:
    """The oldest go first."""
    keys = HandleKeys([NEW], most=10)
    salt, handles = keys.new_salt(), [uuid4() for _ in range(30)]
    made = [keys.key(handle, salt) for handle in handles]
    assert len(keys) == 10
    assert keys.key(handles[-1], salt) is made[-1]
    assert keys.key(handles[0], salt) is not made[0]
