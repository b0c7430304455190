"""What is pure in the log-in: attempts, where people may be sent, cookies, and requests of other sites."""

import base64
import re
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.login.attempts import HOME, MOST, Attempt, challenge, safe
from app.login.cookies import cookie, cookie_in
from app.login.crossing import crosses
from app.settings.identity import Identity, faults_of
from app.settings.login import Login

HERE = "https://threadline.example"


def test_an_attempt_is_read_from_its_cookie_and_knows_its_answer() -> None:
    """All that the issuer gets is made of the secret, which is not among it; the verifier has the length that RFC 7636 demands."""
    attempt = Attempt.new("company", "/docs?a=b&c=%20d")
    again = Attempt.read(attempt.value)
    assert again == attempt and again is not None
    made = {attempt.state, attempt.nonce, attempt.verifier, attempt.secret}
    assert len(made) == 4 and all(re.fullmatch(r"[A-Za-z0-9_-]{43}", one) for one in made)
    assert again.answered(attempt.state) and not again.answered(attempt.nonce) and not again.answered("é")
    digest = base64.urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).decode()
    assert challenge(attempt.verifier) == digest.rstrip("=")
    assert Attempt.new("company", None).state != attempt.state


def test_a_state_is_of_one_issuer_and_one_place() -> None:
    """A cookie with another issuer, or another place to go, is answered by none that was meant for it."""
    attempt = Attempt.new("company", "/a")
    for other in (Attempt(attempt.secret, "other", "/a"), Attempt(attempt.secret, "company", "/b")):
        assert not other.answered(attempt.state)


@given(st.text(max_size=200))
def test_no_text_is_an_attempt_by_chance(text: str) -> None:
    """And none breaks the reading."""
    assert Attempt.read(text) is None
    secret = "a" * 43
    found = Attempt.read(f"{secret}.x.{text}")
    assert found is None or found.next == safe(found.next)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/api/customers?handle=%2B1&x=/y", "/a//b", "/a?u=https://evil.example"]
)
def test_paths_of_ours_are_safe(path: str) -> None:
    """With their query."""
    assert safe(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None, "", "docs", "//evil.example", "/\\evil.example", "\\/evil.example", "https://evil.example", "javascript:alert(1)",
        "/a\\b", "/\t/evil.example", "/a\r\nset-cookie: x=y", " /a", "/a b", "/é", "///evil.example", "/" + "a" * MOST, "data:text/html,x",
    ],
)  # fmt: skip
def test_what_a_browser_could_read_as_another_host_leads_home(path: str | None) -> None:
    """No open redirect, and no header within one."""
    assert safe(path) == HOME


def test_cookies_are_for_this_host_and_of_no_script() -> None:
    """With the attributes that the prefix __Host- demands; one that came twice is none, since one of them may be another's."""
    assert cookie("__Host-a", "b", 5) == "__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=5"
    scope = {"headers": [(b"cookie", b"x=1; __Host-a=b; y=2"), (b"cookie", b"z=3")]}
    assert cookie_in(scope, "__Host-a") == "b" and cookie_in(scope, "z") == "3" and cookie_in(scope, "__Host") is None
    assert cookie_in({"headers": [(b"cookie", b"a=1; a=2")]}, "a") is None
    assert cookie_in({"headers": [(b"cookie", b"a=1"), (b"cookie", b"a=1")]}, "a") is None


@pytest.mark.parametrize(
    ("method", "headers", "crossing"),
    [
        ("POST", {"sec-fetch-site": "same-origin"}, False),
        ("POST", {"sec-fetch-site": "same-origin", "origin": "null"}, False),
        ("POST", {"origin": HERE}, False),
        ("GET", {}, False),
        ("GET", {"sec-fetch-site": "none"}, False),
        ("GET", {"sec-fetch-site": "same-origin"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, False),
        ("GET", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, True),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, True),
        ("POST", {}, True),
        ("POST", {"origin": "null"}, True),
        ("POST", {"origin": f"{HERE}.evil.example"}, True),
        ("POST", {"origin": HERE, "sec-fetch-site": "cross-site"}, True),
        ("POST", {"sec-fetch-site": "same-site", "origin": HERE}, True),
        ("POST", {"sec-fetch-site": "none"}, True),
        ("POST", {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, True),
        ("PUT", {"origin": "https://evil.example"}, True),
        ("DELETE", {}, True),
    ],
)
def test_requests_of_other_sites(method: str, headers: dict[str, str], crossing: bool) -> None:
    """What changes something must be shown to be ours; a link from elsewhere may open a page."""
    assert crosses(method, headers, HERE) is crossing


def test_issuers_that_do_not_fit_together_are_named() -> None:
    """Both forms at once, the same issuer twice, a table without one, and a log-in that has no way back."""
    one = Identity(issuer="https://id.example", audience=["threadline"])
    people = Identity(issuer="https://two.example", audience=["threadline"], login_client_id="web")
    assert faults_of(one, {}, None) == faults_of(Identity(), {"a": one, "b": people}, HERE) == []
    (fault,) = faults_of(one, {"a": people}, HERE)
    assert "exclude" in fault
    (fault,) = faults_of(Identity(), {"a": one, "b": one}, None)
    assert "same issuer" in fault
    (fault,) = faults_of(Identity(), {"a": Identity()}, None)
    assert "issuers.a.issuer" in fault
    (fault,) = faults_of(people, {}, None)
    assert "login.url" in fault


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "http://threadline.example"},
        {"url": f"{HERE}/path"},
        {"url": "https://a@b"},
        {"idle": 7200, "absolute": 3600},
    ],
)
def test_settings_of_the_login_that_are_not_safe_are_refused(wrong: dict[str, object]) -> None:
    """A URL whose cookie anybody on the way could read, or that has a path; a session that is idle for longer than it lasts."""
    with pytest.raises(ValueError):
        Login.model_validate(wrong)
