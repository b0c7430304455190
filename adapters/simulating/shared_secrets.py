"""Credentials of providers that sign nothing: a header, basic authentication, or a secret in the URL."""

import base64
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from adapters.simulating import Post, Settings


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Return the post with the first of the three that the source has."""
    if "webhook_header" in settings:
        name, _, value = settings["webhook_header"].partition(":")
        return replace(post, headers=post.headers | {name.strip(): value.strip()})
    if "basic_auth" in settings:
        user = base64.b64encode(settings["basic_auth"].encode()).decode()
        return replace(post, headers=post.headers | {"Authorization": f"Basic {user}"})
    address, _, query = post.url.partition("?")
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "key"]
    return replace(post, url=f"{address}?{urlencode([*pairs, ('key', settings['url_secret'])])}")
