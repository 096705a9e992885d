"""Which URLs can be fetched as a sign of life, and that nobody is shown what they authenticate with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of

GOOD = ["http://host", "https://me:pw@host:8443/path?x=1#part", "https://[::1]/", "https://xn--bcher-kva.example/"]


@pytest.mark.parametrize("url", GOOD)
def test_a_web_address_can_be_fetched(url: str, tmp_path: Path) -> None:
    """HTTP and HTTPS with a host are fine."""
    assert config_of(tmp_path, f'[scheduler]\ndead_man_url = "{url}"').scheduler.dead_man_url == url


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("ftp://host/", "is neither http nor https"),
        ("file:///etc/passwd", "is neither http nor https"),
        ("host/path", "is neither http nor https"),
        ("", "is neither http nor https"),
        ("https:///path", "names no host"),
        ("https://me:secret@/path", "names no host"),
        ("https://me:secret@host:port/", "is no URL"),
        ("https://host:0/", "names no host"),
        ("https://[host/", "is no URL"),
        ("https://bücher.example/", "has characters that no URL has"),
        ("https://host/a b", "has characters that no URL has"),
        ("https://host/" + "a" * 2000, "is longer than 2000 characters"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(url: str, line: str, tmp_path: Path) -> None:
    """Everything else is refused, and shown without user and password."""
    [problem] = problems_of(tmp_path, f'[scheduler]\ndead_man_url = "{url}"')
    assert problem.startswith("scheduler.dead_man_url: ")
    assert line in problem
    assert "secret" not in problem


def test_neither_user_nor_password_is_shown(tmp_path: Path) -> None:
    """`config show` shows the rest of it: with some services the user alone is the secret."""
    for userinfo in ("token", "me:pass", "me:p:w"):
        config = config_of(tmp_path, f'[scheduler]\ndead_man_url = "https://{userinfo}@host/@x"')
        [value] = [line.value for line in config.describe() if line.key == "scheduler.dead_man_url"]
        assert value == "https://***@host/@x"
