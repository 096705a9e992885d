"""Which texts are addresses of web servers, and that nobody is shown what they authenticate with."""

from __future__ import annotations

import pytest

from trioarm.core.web_urls import URL_MAX, mask_userinfo, web_url

SAMPLE = "https://host/path"


@pytest.mark.parametrize("url", ["http://host", "https://me:pw@host:8443/path?x=1#part", "https://[::1]/"])
def test_an_address_of_the_web_is_returned_as_it_is(url: str) -> None:
    """HTTP and HTTPS with a host are fine."""
    assert web_url(url, SAMPLE) == url


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("file:///etc/passwd", '"file:///etc/passwd" is neither http nor https: write it like "https://host/path"'),
        ("https://me:secret@/x", '"https://***@/x" names no host: write it like "https://host/path"'),
        ("https://host:0/", '"https://host:0/" names no host: write it like "https://host/path"'),
        ("https://[host/", '"https://[host/" is no URL: Invalid IPv6 URL'),
        ("https://host/é", '"https://host/é" has characters that no URL has: write them as %20 and the like'),
        ("http://host/" + "a" * URL_MAX, f'"http://host/{"a" * 27}... is longer than {URL_MAX} characters'),
    ],
)
def test_what_is_none_is_one_line(text: str, line: str) -> None:
    """It says what would be right, and shows neither user nor password."""
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole of the line is compared
        web_url(text, SAMPLE)
    assert str(raised.value) == line


def test_user_and_password_become_stars() -> None:
    """Either may be the secret; what looks like them further on is not."""
    assert mask_userinfo("https://me:p@ss@host/a@b?c@d") == "https://***@host/a@b?c@d"
    assert mask_userinfo("https://host/a@b") == "https://host/a@b"
