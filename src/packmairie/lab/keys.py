# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets and identities that the lab makes for itself, once, and keeps between runs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from packmairie.lab import commands
from packmairie.lab.paths import Paths, read_json, write_atomically, write_json

AUTHORITY_NAME = "Autorité de certification du labo packmairie"
AUTHORITY_DAYS = 3650


def ssh_key(path: Path, comment: str) -> Path:
    """Return the private ed25519 key at `path`, made on first use."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        commands.must(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])
    return path


def technician_key(paths: Paths) -> Path:
    """Return the private key that opens every lab host as root."""
    return ssh_key(paths.keys / "technicien", "technicien du labo packmairie")


def host_key(paths: Paths, name: str) -> Path:
    """Return the private SSH key that identifies one host, the same after each reset."""
    return ssh_key(paths.keys / "hosts" / name / "ssh_host_ed25519_key", name)


def machine_id(paths: Paths, name: str) -> str:
    """Return the machine-id of one host, the same after each reset (see machine-id(5))."""
    path = paths.keys / "hosts" / name / "machine-id"
    if not path.exists():
        write_atomically(path, secrets.token_hex(16) + "\n")
    return path.read_text().strip()


def record_known_hosts(paths: Paths, addresses: dict[str, tuple[str, ...]]) -> None:
    """Write the known_hosts file for the given hosts and their addresses."""
    lines = []
    for name in sorted(addresses):
        public = host_key(paths, name).with_suffix(".pub").read_text().split()[:2]
        lines.append(f"{','.join(addresses[name])} {' '.join(public)}\n")
    write_atomically(paths.known_hosts, "".join(lines))


def authority(paths: Paths) -> tuple[Path, Path]:
    """Return the certificate and private key (PEM files) of the lab's root authority.

    In the lab it plays the public authorities of Debian's bundle: every host trusts
    it, and monde's ACME service issues from it. Made on first use, valid ten years.
    """
    certificate_file, key_file = paths.keys / "authority.crt", paths.keys / "authority.key"
    if not (certificate_file.exists() and key_file.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
        now = datetime.now(UTC)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=AUTHORITY_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=False,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=True,
                    crl_sign=True,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(key, hashes.SHA256())
        )
        write_atomically(
            key_file,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
            0o600,
        )
        write_atomically(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_file, key_file


def witness_password(paths: Paths) -> tuple[Path, str]:
    """Return the file with the password of temoin@ailleurs.example, and its argon2id hash.

    The hash is made once and kept, so that configuring monde again changes nothing.
    """
    password_file, hash_file = paths.keys / "temoin.password", paths.keys / "temoin.json"
    if not password_file.exists():
        write_atomically(password_file, secrets.token_urlsafe(24) + "\n", 0o600)
        hash_file.unlink(missing_ok=True)
    digest = read_json(hash_file).get("hash")
    if not isinstance(digest, str):
        digest = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(password_file.read_text().strip())
        write_json(hash_file, {"hash": digest})
        hash_file.chmod(0o600)
    return password_file, digest


def ssh_options(paths: Paths) -> list[str]:
    """Return the options with which ssh meets lab hosts: their keys are known and checked."""
    return [
        "-o",
        f"UserKnownHostsFile={paths.known_hosts}",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=5",
    ]


def connection_variables(paths: Paths, address: str) -> dict[str, str]:
    """Return the Ansible variables that connect over SSH to the lab host at an address."""
    return {
        "ansible_host": address,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(technician_key(paths)),
        "ansible_ssh_common_args": " ".join(ssh_options(paths)),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
