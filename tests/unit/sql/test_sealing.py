"""What is sealed opens with its key, in its place, unchanged: and else not."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from app.embedded.firstrun import make_key
from app.keys import seal_of
from app.settings import KEYS_FILE, Secrets, Settings
from app.settings.wording import worded
from sql.sealing import NoKey, Seal, Tampered, key_id_of, new_key

OLD, NEW = bytes(range(32)), bytes(range(32, 64))


@given(st.binary(max_size=200), st.text(max_size=20))
def test_what_is_sealed_opens(plain: bytes, context: str) -> None:
    """Whatever it is; and it is not to be seen in what is kept."""
    seal = Seal([NEW])
    kept = seal.seal(plain, context)
    assert seal.unseal(kept, context) == plain
    assert len(plain) < 4 or plain not in kept


def test_the_same_is_never_sealed_the_same() -> None:
    """Each has a nonce of its own."""
    seal = Seal([NEW])
    assert len({seal.seal(b"secret", "a") for _ in range(100)}) == 100


def test_every_changed_bit_is_noticed() -> None:
    """Of the nonce, the ciphertext and the tag; one of the key's id names another key."""
    seal = Seal([NEW])
    kept = seal.seal(b"secret", "a")
    for place in range(len(kept) * 8):
        changed = bytearray(kept)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(NoKey if place < 64 else Tampered):
            seal.unseal(bytes(changed), "a")


def test_what_was_cut_short_is_noticed() -> None:
    """At every length."""
    seal = Seal([NEW])
    kept = seal.seal(b"secret", "a")
    for length in range(len(kept)):
        with pytest.raises(Tampered):
            seal.unseal(kept[:length], "a")


def test_it_opens_in_its_own_place_alone() -> None:
    """What was sealed for one client and account is of no use in another's row."""
    seal = Seal([NEW])
    with pytest.raises(Tampered):
        seal.unseal(seal.seal(b"secret", "account\x1fshop\x1ftwilio"), "account\x1fother\x1ftwilio")


def test_another_key_does_not_open_it() -> None:
    """And the error names the one that would."""
    kept = Seal([OLD]).seal(b"secret", "a")
    with pytest.raises(NoKey, match=key_id_of(kept)):
        Seal([NEW]).unseal(kept, "a")


def test_keys_are_rotated() -> None:
    """With the new key in front of the old one, both open, and the new one seals."""
    kept = Seal([OLD]).seal(b"secret", "a")
    both = Seal([NEW, OLD])
    assert both.unseal(kept, "a") == b"secret"
    again = both.seal(b"secret", "a")
    assert key_id_of(again) == both.key_id == Seal([NEW]).key_id != key_id_of(kept)
    assert Seal([NEW]).unseal(again, "a") == b"secret"


def test_without_a_key_it_is_said_what_to_do() -> None:
    """Nothing is sealed, and the message has a command and a setting in it."""
    with pytest.raises(NoKey, match=r"openssl rand -base64 32.*THREADLINE_SECRETS__KEYS"):
        Seal([]).seal(b"secret", "a")


def test_keys_come_from_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As base64 of 32 bytes; another length is refused without being repeated."""
    monkeypatch.setenv("THREADLINE_SECRETS__KEYS", f'["{base64.b64encode(NEW).decode()}"]')
    assert seal_of(Settings()).key_id == Seal([NEW]).key_id
    assert len(base64.b64decode(new_key())) == 32
    for wrong in ("c2hvcnQ=", "not base64!", ""):
        with pytest.raises(ValidationError) as raised:
            Secrets(keys=[SecretStr(wrong)])
        words = "\n".join(worded(raised.value))
        assert "openssl rand" in words
        assert not wrong or wrong not in words


def test_a_first_start_makes_a_key_for_all_of_the_data_folder(tmp_path: Path) -> None:
    """Once, for its user alone, and every process of the folder reads it; a configured key wins over it."""
    assert make_key(tmp_path)
    assert not make_key(tmp_path)
    assert (tmp_path / KEYS_FILE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / KEYS_FILE).parent.stat().st_mode & 0o777 == 0o700
    seal = seal_of(Settings(data=tmp_path))
    assert seal.unseal(seal.seal(b"secret", "a"), "a") == b"secret"
    configured = Secrets(keys=[SecretStr(base64.b64encode(NEW).decode())])
    assert seal_of(Settings(data=tmp_path, secrets=configured)).key_id == Seal([NEW]).key_id
    assert not Settings(data=tmp_path / "other").secrets.keys
