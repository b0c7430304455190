"""What all senders share: what counts as an id, and where the API is."""

from adapters.contract import accepted, api_of


def test_an_answer_with_an_impossible_id_is_still_accepted() -> None:
    """A 2xx was sent: what cannot be an id is none, and the message is not sent twice."""
    assert accepted("m" * 512).provider_message_id == "m" * 512
    for odd in ("m" * 513, "", None):
        assert (accepted(odd).state, accepted(odd).provider_message_id) == ("accepted", None)


def test_the_slash_after_an_api_url_does_not_matter() -> None:
    """`https://api.example.com/` is `https://api.example.com`."""
    assert api_of({"api_url": ["https://api.example.com/"]}, "https://x") == "https://api.example.com"
    assert api_of({}, "https://x") == "https://x"
