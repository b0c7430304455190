"""The pages of the log-in: plain HTML, without scripts and styles. Pure."""

from collections.abc import Mapping, Sequence
from html import escape

from starlette.responses import HTMLResponse

from app.http.secured import form_policy
from app.login.sessions import Session

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(
    title: str, *lines: str, status: int = 200, headers: Mapping[str, str] | None = None, form: str = ""
) -> HTMLResponse:
    """Return a page; `lines` are HTML. Its forms go to this host, which may send the browser on to `form`, an origin."""
    text = _PAGE.format(title=escape(title), body="\n".join(lines))
    return HTMLResponse(text, status, {**form_policy(form), **(headers or {})})


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
        link(f"/login?issuer={name}" if name else "/login", f"Log in{f' by {name}' if name else ''}")
        for name in issuers
    ]
    return page("Threadline", *links, headers=headers)


def link(path: str, words: str) -> str:
    """Return a paragraph with a link to a path of ours."""
    return f'<p><a href="{escape(path)}">{escape(words)}</a></p>'
