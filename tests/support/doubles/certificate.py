"""A certificate authority for one test, and a certificate that it has issued for the loopback address."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificate:
    """`authority`: what a client has to trust (PEM). `chain`: the server's certificate and key (PEM)."""

    authority: Path
    chain: Path

    @classmethod
    def make(cls, directory: Path) -> Certificate:
        """Write `ca.pem` and `server.pem` into a directory; both are valid for a day."""
        directory.mkdir(parents=True, exist_ok=True)
        made = cls(directory / "ca.pem", directory / "server.pem")
        authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        authority = _signed("Postrider test authority", authority_key, authority_key.public_key(), authority=True)
        server = _signed("127.0.0.1", authority_key, server_key.public_key(), authority=False)
        made.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        key = server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made.chain.write_bytes(key + server.public_bytes(serialization.Encoding.PEM))
        return made


def _signed(
    name: str, signer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePublicKey, *, authority: bool
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Postrider test authority")]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(signer, hashes.SHA256())
