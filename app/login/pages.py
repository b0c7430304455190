"""The pages of the log-in, and the one at `/` where nobody logs in: plain HTML without scripts, for light and dark, narrow and wide.
Pure."""

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape

from starlette.responses import HTMLResponse

from app.http.secured import form_policy
from app.login.sessions import Session

PRODUCT = "Threadline"
_WHAT = "<p>Messages with customers over all channels, on one timeline for each customer. Providers post their webhooks here, and services use the API.</p>"
_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d5d9de, #3a4048); --soft: light-dark(#5b6570, #9aa4af);
  --link: light-dark(#0b6b76, #56c5d0) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 0 auto; padding: 12vh 1rem 2rem;
  background: light-dark(#fff, #16191d); color: light-dark(#1b1f24, #e6e9ec); overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 0 1rem } a { color: var(--link) }
dl { display: grid; grid-template-columns: 4rem 1fr; gap: .5rem 1rem; margin: 0 0 1.5rem } dt { color: var(--soft) } dd { margin: 0 }
button { font: inherit; padding: .4rem 1rem; border: 1px solid var(--line); border-radius: .4rem; cursor: pointer;
  background: transparent; color: inherit }
"""
#: Why there is no log-in.
_NOBODY = (
    "There is no log-in here yet. Who runs this service can set one up: "
    "<code>login_client_id</code> of an issuer in the settings."
)
#: What the pages' policy lets a browser apply: this style and no other.
_HASH = f"'sha256-{base64.b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{tab}</title>
<style>{style}</style></head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def page(
    title: str, *lines: str, status: int = 200, headers: Mapping[str, str] | None = None, form: str = ""
) -> HTMLResponse:
    """Return a page; `lines` are HTML. Its forms go to this host, which may send the browser on to `form`, an origin."""
    tab = title if title == PRODUCT else f"{title} - {PRODUCT}"
    text = _PAGE.format(tab=escape(tab), title=escape(title), style=_STYLE, body="\n".join(lines))
    return HTMLResponse(text, status, {**form_policy(form, _HASH), **(headers or {})})


def refusal(words: str, status: int, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return the page of a log-in that did not succeed."""
    return page("Not logged in", f"<p>{escape(words)}</p>", link("/login", "Log in"), status=status, headers=headers)


def me(session: Session, issuer_origin: str) -> HTMLResponse:
    """Return the page that shows who is logged in."""
    key = session.key
    rows = {
        "Who": key.name,
        "For": ", ".join(key.clients or (key.client,)),
        "May": ", ".join(sorted(key.scopes)) or "nothing",
        "Since": f"{session.since:%Y-%m-%d %H:%M} UTC",
    }
    listed = "\n".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows.items())
    form = '<form method="post" action="/logout"><button>Log out</button></form>'
    headers = {} if session.cookie is None else {"set-cookie": session.cookie}
    return page("Logged in", f"<dl>\n{listed}\n</dl>", form, headers=headers, form=issuer_origin)


def welcome(issuers: Sequence[str], headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """Return the page of somebody who is not logged in: a link for each issuer."""
    links = [
        link(f"/login?issuer={name}" if name else "/login", f"Log in{f' with {name}' if name else ''}")
        for name in issuers
    ]
    return page(PRODUCT, _WHAT, *links, headers=headers)


def front(described: bool) -> HTMLResponse:
    """Return the page at `/` where nobody logs in. `described`: whether anybody may read the API's description."""
    docs = link("/docs", "The API, explained") if described else "<p>The API's description needs an API key.</p>"
    return page(PRODUCT, _WHAT, docs, link("/readyz", "Whether it works"), f"<p>{_NOBODY}</p>")


def nobody() -> HTMLResponse:
    """Return the page of a log-in where nobody logs in."""
    return page("Not logged in", f"<p>{_NOBODY}</p>", link("/", PRODUCT), status=404)


def link(path: str, words: str) -> str:
    """Return a paragraph with a link to a path of ours."""
    return f'<p><a href="{escape(path)}">{escape(words)}</a></p>'
