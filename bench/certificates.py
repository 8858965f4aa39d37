# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a deployed platform the certificates that it would have ordered in days, signed by the lab's own authority.

Caddy orders ten certificates in ten seconds at most, and packmairie eighty an hour: a territory has all of its names
only a day or two after its first deployment. Benches that measure what comes then lay the same files in Caddy's store.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from packmairie.lab import Lab
from packmairie.lab.keys import authority

STORE = "/var/lib/caddy/.local/share/caddy/certificates"
NAMES = "find /srv/communes /srv/sites -mindepth 1 -maxdepth 1 -type d -not -name '.*' -printf '%f\\n' | sort -u"
LAY = """
set -eu
issuer=$(find {store} -mindepth 1 -maxdepth 1 -type d | head -n 1)
base64 -d | tar -xz -C "$issuer" --skip-old-files
chown -R caddy:caddy "$issuer"
"""


def lay_certificates(lab: Lab, host: str) -> int:
    """Lay a certificate of ninety days for each name of a platform that Caddy has none of; return how many names."""
    names = lab.run(host, ["sh", "-c", NAMES]).stdout.split()
    root_file, key_file = authority(lab.paths)
    root = x509.load_pem_x509_certificate(root_file.read_bytes())
    signer = serialization.load_pem_private_key(key_file.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name in names:
            for ending, content in _files(name, root, signer).items():
                entry = tarfile.TarInfo(f"{name}/{name}.{ending}")
                entry.size, entry.mode = len(content), 0o600
                tar.addfile(entry, io.BytesIO(content))
    text = base64.b64encode(archive.getvalue()).decode()
    laid = lab.run(host, ["sh", "-c", LAY.format(store=STORE)], text_input=text, timeout=300)
    if laid.returncode:
        raise SystemExit(f"certificats non posés : {laid.stderr[-500:]}")
    return len(names)


def _files(name: str, root: x509.Certificate, signer: ec.EllipticCurvePrivateKey) -> dict[str, bytes]:
    """Return what Caddy keeps of a certificate, by the ending of its file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(root.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    told = {"sans": [name], "issuer_data": {"url": f"https://acme.monde.example/laid/{name}"}}
    return {
        "crt": certificate.public_bytes(serialization.Encoding.PEM),
        "key": private,
        "json": json.dumps(told).encode(),
    }
