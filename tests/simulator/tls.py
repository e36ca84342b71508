"""A throw-away certificate authority for the names WhatsApp clients dial."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_HOSTS: Final = ("web.whatsapp.com", "*.whatsapp.com", "*.whatsapp.net", "*.cdn.whatsapp.net", "localhost")
_CA_NAME: Final = "WhatsApp simulator CA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Where the CA certificate and the server's key and certificate lie."""

    ca_file: Path
    server_file: Path

    def server_context(self) -> ssl.SSLContext:
        """The TLS settings of the simulated hosts."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server_file)
        context.set_alpn_protocols(["http/1.1"])
        return context


def make_authority(folder: Path) -> Authority:
    """Create the CA and one server certificate in the folder, or reuse what is there."""
    authority = Authority(ca_file=folder / "ca.pem", server_file=folder / "server.pem")
    if authority.ca_file.exists() and authority.server_file.exists():
        return authority
    folder.mkdir(parents=True, exist_ok=True)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    server_key = ec.generate_private_key(ec.SECP256R1())
    ca = _certificate(_CA_NAME, ca_key.public_key(), ca_key, hosts=())
    leaf = _certificate("web.whatsapp.com", server_key.public_key(), ca_key, hosts=_HOSTS)
    key_pem = server_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    authority.ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    authority.server_file.write_bytes(key_pem + leaf.public_bytes(serialization.Encoding.PEM))
    return authority


def _certificate(
    subject: str,
    public: ec.EllipticCurvePublicKey,
    key: ec.EllipticCurvePrivateKey,
    *,
    hosts: tuple[str, ...],
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(_CA_NAME))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
