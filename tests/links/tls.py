"""A real server that speaks TLS, and certificates for it and others, signed by an authority of the tests."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest

from tests.needs import program_named

PATIENCE_S = 30.0


HOST = "127.0.0.1"


@attrs.frozen
class Certificate:
    """A certificate of 127.0.0.1, and what signed it."""

    ca: Path
    chain: Path
    key: Path


def a_certificate(directory: Path, host: str = f"IP:{HOST}") -> Certificate:
    """Make a certificate authority, and have it sign a certificate of a host."""
    directory.mkdir(parents=True, exist_ok=True)
    openssl = partial(_openssl, program_named("openssl", "openssl"), directory)
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    may_sign = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl("req", "-x509", *made, "-subj", "/CN=a test", *may_sign, "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", *made[:-2], "-subj", "/CN=a server", "-keyout", "key.pem", "-out", "request.pem")
    (directory / "names").write_text(f"subjectAltName={host}\nauthorityKeyIdentifier=keyid\n")
    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
    openssl("x509", "-req", "-in", "request.pem", *signed, "-out", "chain.pem")
    return Certificate(directory / "ca.pem", directory / "chain.pem", directory / "key.pem")


def _openssl(program: str, directory: Path, *arguments: str) -> None:
    subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Make a certificate that nobody trusts who was not told to."""
    return a_certificate(tmp_path_factory.mktemp("tls"))


def a_server_context(certificate: Certificate) -> ssl.SSLContext:
    """Return what a server with a certificate answers by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context


@contextmanager
def an_encrypted_server(
    certificate: Certificate, wait: threading.Event | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """Answer one connection after the other over TLS; yield where, and what was received.

    Args:
        certificate: of the server.
        wait: if given, no connection is secured before it is set.
    """
    context = a_server_context(certificate)
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

    with socket.create_server((HOST, 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"https://127.0.0.1:{listener.getsockname()[1]}", received
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
