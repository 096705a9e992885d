"""Signing: what is posted proves who sent it, and when; how a receiver verifies it is in docs/panels-http.md."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from trioarm.core.instants import SECOND
from trioarm.links.secrets import SecretRef, SecretUnreadable, read_key

KEY_HEADER: Final = "Idempotency-Key"
TIMESTAMP_HEADER: Final = "X-Trioarm-Timestamp"
SIGNATURE_HEADER: Final = "X-Trioarm-Signature"


def bearer(token: SecretRef | None) -> dict[str, str]:
    """Return the header that names us; none where there is no token.

    Raises:
        SecretUnreadable: the token cannot be read, or not be sent.
    """
    if token is None:
        return {}
    found = read_key(token, "token")
    if not found.isascii() or not found.isprintable():
        raise SecretUnreadable("the token has characters that no header can hold")
    return {"Authorization": f"Bearer {found}"}


def signature(secret: SecretRef | None, content: bytes, now: int) -> dict[str, str]:
    """Return the headers that prove who sent a content, and when; none where there is no secret.

    Args:
        now: microseconds since 1970 UTC.

    Raises:
        SecretUnreadable: the secret cannot be read.
    """
    if secret is None:
        return {}
    key = read_key(secret, "secret").encode(errors="surrogateescape")
    stamp = str(now // SECOND)
    signed = hmac.new(key, stamp.encode() + b"." + content, hashlib.sha256).hexdigest()
    return {TIMESTAMP_HEADER: stamp, SIGNATURE_HEADER: f"sha256={signed}"}
