"""Topics: which texts name one, which filters there are, and what a filter means (MQTT 3.1.1 and 5, section 4.7)."""

from __future__ import annotations

from typing import Final

LENGTH_MAX: Final = 65_535  # bytes of UTF-8: its length is sent in two bytes
SHOWN: Final = 60  # characters of a bad one that a message shows


class InvalidTopic(ValueError):
    """The text is no topic, or no filter; one line."""


def check_topic(topic: str) -> str:
    """Return a topic that messages can be published on.

    Raises:
        InvalidTopic: it is none.
    """
    _check_text(topic, "topic")
    for wildcard in "+#":
        if wildcard in topic:
            raise InvalidTopic(f"the topic {_shown(topic)} has the wildcard {wildcard}, which only a filter may have")
    return topic


def check_filter(pattern: str) -> str:
    """Return a filter that can be subscribed to.

    Raises:
        InvalidTopic: it is none, or one that several clients share.
    """
    _check_text(pattern, "filter")
    if pattern.startswith("$share/"):
        raise InvalidTopic(f"the filter {_shown(pattern)} is a shared one: each client would hear a part")
    levels = pattern.split("/")
    if "#" in levels[:-1]:
        raise InvalidTopic(f"the filter {_shown(pattern)} has # before its last level")
    for level in levels:
        if len(level) > 1 and ("+" in level or "#" in level):
            raise InvalidTopic(f"the filter {_shown(pattern)} has a wildcard that is not a level of its own")
    return pattern


def matches(pattern: str, topic: str) -> bool:
    """Return whether a filter means a topic. Topics that begin with $ are the broker's: no wildcard means them."""
    if topic.startswith("$") and pattern[0] in "+#":
        return False
    levels, parts = pattern.split("/"), topic.split("/")
    for index, level in enumerate(levels):
        if level == "#":
            return True
        if index == len(parts) or level not in ("+", parts[index]):
            return False
    return len(levels) == len(parts)


def _check_text(text: str, what: str) -> None:
    if not text:
        raise InvalidTopic(f"a {what} is empty")
    if "\0" in text:
        raise InvalidTopic(f"the {what} {_shown(text)} has a NUL character")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidTopic(f"the {what} {_shown(text)} cannot be sent as UTF-8") from None
    if size > LENGTH_MAX:
        raise InvalidTopic(f"the {what} {_shown(text)} has {size} bytes: {LENGTH_MAX} at most")


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}...")
