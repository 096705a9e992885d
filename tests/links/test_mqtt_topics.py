"""Topics and filters: which texts are ones, and what filters mean, judged by paho's own matching."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from trioarm.links.mqtt import Broker, InvalidTopic, Tls, Will, check_filter, check_topic, matches

LEVEL = st.sampled_from(["a", "b", "", "$a", "home"])


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        pytest.param("", "a topic is empty", id="empty"),
        pytest.param("a/+/c", "the topic 'a/+/c' has the wildcard +, which only a filter may have", id="plus"),
        pytest.param("a/#", "the topic 'a/#' has the wildcard #, which only a filter may have", id="hash"),
        pytest.param("a\0b", "the topic 'a\\x00b' has a NUL character", id="NUL"),
        pytest.param("a\udc80", "the topic 'a\\udc80' cannot be sent as UTF-8", id="no UTF-8"),
        pytest.param("é" * 32_768, f"the topic '{'é' * 57}...' has 65536 bytes: 65535 at most", id="too long"),
    ],
)
def test_what_is_no_topic_is_one_line(topic: str, line: str) -> None:
    """Nothing with a wildcard, a NUL, or more bytes than its length can say, is published on."""
    with pytest.raises(InvalidTopic) as raised:
        check_topic(topic)
    assert str(raised.value) == line


@pytest.mark.parametrize("pattern", ["a/#/b", "a/b#", "a+/b", "", "#a", "$share/group/a", "a/\0"])
def test_what_is_no_filter_is_one_line(pattern: str) -> None:
    """A wildcard is a level of its own, and # the last one; clients that share a filter would hear a part each."""
    with pytest.raises(InvalidTopic) as raised:
        check_filter(pattern)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("pattern", ["#", "+", "a/+/c", "a/#", "/", "$SYS/#", "a b/ü"])
def test_what_is_a_filter_is_taken_as_it_is(pattern: str) -> None:
    """Empty levels, blanks and the broker's own topics may be subscribed to."""
    assert check_filter(pattern) == pattern


@given(
    st.lists(st.one_of(LEVEL, st.just("+")), min_size=1, max_size=4),
    st.booleans(),
    st.lists(LEVEL, min_size=1, max_size=4),
)
def test_a_filter_means_what_paho_says(levels: list[str], ends_in_hash: bool, parts: list[str]) -> None:
    """Also of topics that begin with $, of empty levels, and of # where there is nothing left."""
    pattern, topic = "/".join([*levels, "#"] if ends_in_hash else levels), "/".join(parts)
    if pattern and topic:
        assert matches(pattern, topic) == topic_matches_sub(pattern, topic)


def test_a_broker_is_shown_without_what_it_is_spoken_to_with() -> None:
    """Its text is its address, and no password is part of any form of it."""
    broker = Broker(host="::1", username="u", password="a secret", tls=Tls())
    assert str(broker) == "[::1]:8883"
    assert "secret" not in repr(broker)
    assert Broker(host="broker.example").port == 1883


@pytest.mark.parametrize(
    "settings",
    [
        {"host": ""},
        {"host": "h", "port": 0},
        {"host": "h", "port": 65_536},
        {"host": "h", "password": "p"},
        {"host": "h", "client_id": ""},
        {"host": "h", "username": "u" * 257},
        {"host": "h", "keepalive_s": 0.5},
    ],
)
def test_a_broker_that_cannot_be_is_refused(settings: dict[str, object]) -> None:
    """Ports, names and times have bounds, and a password needs a user."""
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        Broker(**settings)  # type: ignore[arg-type]


def test_a_will_is_a_message_that_could_be_published() -> None:
    """Its topic has no wildcard, and its payload is not too large."""
    with pytest.raises(InvalidTopic):
        Will(topic="a/#", payload=b"")
    with pytest.raises(ValueError, match="65537 bytes"):
        Will(topic="a", payload=b"x" * 65_537)
