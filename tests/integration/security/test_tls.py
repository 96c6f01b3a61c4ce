"""Check which database servers a connection trusts, with servers that only begin TLS as Postgres does."""

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from leads.errors import DatabaseFault
from leads.postgres import tls
from leads.postgres.connection import Connection
from leads.settings import DatabaseSettings


class Server:
    """Accept one connection and record the first bytes that come through TLS."""

    def __init__(self, certificate: Path) -> None:
        self.received = b""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError), self._listener, self._listener.accept()[0] as plain:
            plain.recv(8)
            plain.sendall(b"S")
            with self._context.wrap_socket(plain, server_side=True) as secure:
                self.received = secure.recv(1000)

    def join(self) -> None:
        self._thread.join(10)


def certificate(directory: Path) -> Path:
    """Return a self-signed certificate for 127.0.0.1 with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextmanager
def trusting(monkeypatch: pytest.MonkeyPatch, authorities: Path) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr(tls, "_AUTHORITIES", authorities)
        tls.tls_context.cache_clear()
        yield
    tls.tls_context.cache_clear()


def connect(server: Server, host: str = "127.0.0.1") -> None:
    settings = DatabaseSettings(
        host=host,
        port=server.port,
        name="leads",
        user="leads_app",
        password="secret",  # noqa: S106
        tls=True,
    )
    with pytest.raises(DatabaseFault):
        Connection(settings, "test")
    server.join()


def test_server_of_another_authority_receives_nothing(tmp_path: Path) -> None:
    server = Server(certificate(tmp_path))
    connect(server)
    assert server.received == b""


def test_server_of_a_trusted_authority_receives_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = certificate(tmp_path)
    server = Server(path)
    with trusting(monkeypatch, path):
        connect(server)
    assert b"leads_app" in server.received


def test_server_of_another_name_receives_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path)
    server = Server(path)
    with trusting(monkeypatch, path):
        connect(server, "localhost")
    assert server.received == b""


def test_tls_context_trusts_the_authorities_of_rds_only() -> None:
    context = tls.tls_context()
    authorities = context.get_ca_certs()
    names = {dict(part[0] for part in one["subject"])["commonName"] for one in authorities}  # type: ignore[misc]
    assert len(names) == len(authorities) > 80
    assert all(name.startswith("Amazon RDS ") for name in names)
    assert "Amazon RDS eu-west-3 Root CA RSA2048 G1" in names
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
