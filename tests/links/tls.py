"""A real server that speaks TLS, with a certificate nobody vouches for but itself."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate of 127.0.0.1 that nobody but itself vouches for."""
    path = tmp_path_factory.mktemp("tls") / "panel.pem"
    subject = ["-subj", "/CN=panel", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path, "-out", path]
    subprocess.run(["openssl", "req", "-x509", "-days", "2", *subject, *key], check=True, capture_output=True)
    return path


@contextmanager
def an_encrypted_server(certificate: Path, wait: threading.Event | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one connection after the other over TLS; yield where, and what was received.

    Args:
        certificate: with its key.
        wait: if given, no connection is secured before it is set.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            if wait is not None:
                received.append(b"")
                wait.wait(PATIENCE_S)
            plain.settimeout(PATIENCE_S)
            try:
                with context.wrap_socket(plain, server_side=True) as secured:
                    received.append(secured.recv(65536))
                    secured.sendall(b'HTTP/1.0 200 OK\r\nContent-Length: 21\r\n\r\n{"state": "disarmed"}')
                    while more := secured.recv(65536):
                        received.append(more)
            except OSError:
                received.append(b"refused")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
