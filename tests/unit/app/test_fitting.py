"""What a process asks before it starts: do the settings fit each other?"""

from typing import Any

import pytest
from pydantic import SecretStr

from app.embedded import ports
from app.kafka import TopicState
from app.kafka.fitting import misfits, refuses, too_small, unfit
from app.kafka.producers import faust_limits, producer_args
from app.kafka.topics import LETTER_OVERHEAD, MOST_BODY, MOST_INLINE, TOPICS, max_letter, max_record
from app.settings import Blobs, Door, Kafka, Secrets, Settings
from tests.support.keys import KEY
from webhooks.producer import BATCH


def settings(**door: Any) -> Settings:
    """With a Kafka that nobody has started."""
    kafka = Kafka(bootstrap=f"127.0.0.1:{ports.free()}")
    return Settings(kafka=kafka, door=Door(**door), secrets=Secrets(keys=[SecretStr(KEY)]))


@pytest.mark.parametrize(
    ("door", "says"),
    [
        ({}, []),
        ({"max_body": MOST_BODY}, []),
        ({"max_body": 100}, []),
        ({"max_body": MOST_BODY + 1}, ["THREADLINE_DOOR__MAX_BODY"]),
        ({"max_body": 0}, ["THREADLINE_DOOR__MAX_BODY"]),
    ],
)
def test_settings_that_do_not_fit_say_which_to_change(door: dict[str, Any], says: list[str]) -> None:
    """A sentence each, that names the variable."""
    found = unfit(settings(**door))
    assert len(found) == len(says)
    assert all(name in sentence for name, sentence in zip(says, found, strict=True))


@pytest.mark.parametrize("over", [100, 1 << 20, 5_000_000, MOST_INLINE])
def test_every_limit_follows_from_the_settings(over: int) -> None:
    """Any record fits its topic, its dead letter fits that one's, and a batch of small ones fits both, however small a
    body may be; every producer and consumer has the same limits."""
    given = settings().model_copy(update={"blobs": Blobs(over=over)})
    record, letter = max_record(given), max_letter(given)
    assert record >= max(over, 2 * BATCH) + (128 << 10)
    assert letter == record + LETTER_OVERHEAD
    for topic in TOPICS:
        assert topic.configs(given)["max.message.bytes"] == str(letter if topic.dead_letters else record)
    assert producer_args(given)["max_request_size"] == letter
    assert producer_args(given)["max_batch_size"] < record
    assert faust_limits(given) == {
        "producer_acks": -1, "producer_max_request_size": letter, "producer_max_batch_size": 2 * BATCH,
        "consumer_max_fetch_size": record,
    }  # fmt: skip


def test_a_topic_that_takes_too_little_is_named() -> None:
    """With what it takes, what is needed, and the commands that change it; one that takes more is no fault."""
    differs = {"max.message.bytes": ("1000012", "1310720")}
    small, large = TopicState(TOPICS[0], 1, 1, differs=differs), TopicState(TOPICS[1], 1, 1)
    large.differs = {"max.message.bytes": ("9000000", "1310720"), "retention.ms": ("1", "2")}
    (sentence,) = too_small([small, large])
    assert all(
        part in sentence for part in (TOPICS[0].name, "1000012", "1310720", "threadline topics", "kafka-configs.sh")
    )


async def test_a_kafka_that_is_away_is_no_misfit() -> None:
    """The door keeps webhooks in its spool until it comes."""
    assert await misfits(settings()) == []


def test_a_process_that_does_not_fit_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, with what to do."""
    assert refuses(settings(max_body=0))
    assert "THREADLINE_DOOR__MAX_BODY" in capsys.readouterr().err
    assert not refuses(settings())


async def test_a_process_needs_a_key() -> None:
    """Without one it would store readably what is to be encrypted; the problem is the first that is named."""
    (sentence,) = await misfits(settings().model_copy(update={"secrets": Secrets()}))
    assert "openssl rand -base64 32" in sentence and "THREADLINE_SECRETS__KEYS" in sentence
    wrapped = {"wrapped": ["kms:AAAA"], "kms": {"key": "k"}}
    assert await misfits(settings().model_copy(update={"secrets": Secrets.model_validate(wrapped)})) == []
