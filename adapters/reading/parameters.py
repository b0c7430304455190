"""Reads the parameters of a webhook by GET, without those that are Threadline's own."""

from adapters.contract import Request
from adapters.reading.bodies import Pairs, query_of

#: The name by which the URL of a source has its `url_secret`: no part of what a provider says.
SECRET = "key"  # noqa: S105  a parameter's name


def given(request: Request) -> Pairs:
    """Return the parameters of the URL's query, in order, without the source's secret. Raise Unprocessable."""
    return [pair for pair in query_of(request) if pair[0] != SECRET]
