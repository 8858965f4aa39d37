# SPDX-License-Identifier: GPL-3.0-or-later
"""Peers of what communes send, on ``monde``: OpenSSH's internal-sftp, and nginx that asks for a client certificate.

Behind nginx stands a stand-in, which is no S²LOW: it answers with recorded forms, and keeps what it was sent.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from packmairie.lab import Lab

TDT, SAE = "tdt.monde.example", "sae.monde.example"
TDT_PORT = 8443
PLACE = "/srv/envois"
RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "actes" / "exemples" / "pastell-classification.xml"
STAND_IN = r'''
"""A stand-in of S2LOW for the laboratory: recorded forms, no S2LOW. Listens on loopback, behind nginx."""
import json, re, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PLACE, MODULE = Path("/srv/envois/recus"), "/modules/actes/actes_"
AR = ('<?xml version="1.0" encoding="ISO-8859-1"?><actes:ARActe xmlns:actes="http://www.interieur.gouv.fr/ACTES'
      '#v1.1-20040216" actes:DateReception="%s" actes:IDActe="062-%s-%s-%s-DE"/>')


class Handler(BaseHTTPRequestHandler):
    def answer(self, content, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def act(self, query):
        number = query.get("transaction", query.get("id", query.get("file", ["0"])))[0]
        place = PLACE / number
        return place if number.isdigit() and place.is_dir() else None

    def do_GET(self):
        url = urlsplit(self.path)
        query, act = parse_qs(url.query), self.act(parse_qs(url.query))
        if url.path == "/api/test-connexion.php":
            self.answer(b"OK\n")
        elif url.path == MODULE + "classification_fetch.php":
            self.answer(Path("/srv/envois/classification.xml").read_bytes())
        elif act is None:
            self.answer(b"KO\ninconnue", 404)
        elif url.path == MODULE + "transac_get_status.php":
            told = json.loads((act / "acte.json").read_text())
            ar = AR % ("2026-11-24", "216207084", told["decision_date"].replace("-", ""), told["number"])
            self.answer(b"OK\n4\n" + ar.encode() if (act / "confirme").exists() else b"OK\n17\n")
        elif url.path == MODULE + "transac_get_files_list.php":
            name = json.loads((act / "acte.json").read_text())["fichier"]
            self.answer(json.dumps([{"id": act.name, "name": name, "mimetype": "application/pdf"}]).encode())
        elif url.path == MODULE + "download_file.php":
            self.answer((act / "acte.pdf").read_bytes() + (b"\n% tampon\n" if "tampon" in query else b""))
        else:
            self.answer(b"KO\n", 404)

    def do_POST(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == MODULE + "transac_create.php":
            boundary = b"--" + self.headers["Content-Type"].partition("boundary=")[2].encode()
            fields, file = {}, (b"", "")
            for part in body.split(boundary)[1:-1]:
                head, _, content = part.partition(b"\r\n\r\n")
                name = re.search(rb'name="([^"]+)"', head)[1].decode()
                found = re.search(rb'filename="([^"]+)"', head)
                if found and name == "acte_pdf_file":
                    file = (content[:-2], found[1].decode())
                elif not found:
                    fields[name] = content[:-2].decode("iso-8859-1")
            number = str(666 + len(list(PLACE.iterdir())))
            (PLACE / number).mkdir()
            (PLACE / number / "acte.pdf").write_bytes(file[0])
            (PLACE / number / "acte.json").write_text(json.dumps({**fields, "fichier": file[1]}))
            self.answer(b"OK\n" + number.encode())
        elif url.path == MODULE + "transac_post_confirm_api.php":
            act = self.act(parse_qs(body.decode()))
            if "CN=agent" not in self.headers.get("X-Client", ""):
                self.answer("KO\nLa télétransmission nécessite un certificat RGS".encode("iso-8859-1"), 403)
            elif act is None:
                self.answer(b"KO\n", 404)
            else:
                (act / "confirme").touch()
                self.answer(b"OK\n")
        else:
            self.answer(b"KO\n", 404)

    def log_message(self, *words):
        pass


HTTPServer(("127.0.0.1", 8081), Handler).serve_forever()
'''
NGINX = f"""\
daemon off; pid {PLACE}/nginx.pid; error_log {PLACE}/nginx.log; worker_processes 1; user root;
events {{ worker_connections 64; }}
http {{
  access_log off;
  server {{
    listen {TDT_PORT} ssl; server_name {TDT}; client_max_body_size 0;
    ssl_certificate {PLACE}/cles/tdt.crt; ssl_certificate_key {PLACE}/cles/tdt.key;
    ssl_client_certificate {PLACE}/cles/ac.crt; ssl_verify_client on;
    location / {{ proxy_pass http://127.0.0.1:8081; proxy_set_header X-Client $ssl_client_s_dn; }}
  }}
}}
"""
CERTIFICATES = f"""\
set -eu
mkdir -p {PLACE}/cles {PLACE}/recus; cd {PLACE}/cles
autorite() {{ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
  -addext keyUsage=critical,keyCertSign,cRLSign -keyout $1.key -out $1.crt 2>/dev/null; }}
emettre() {{
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" -keyout $2.key -out $2.csr 2>/dev/null
  printf 'subjectAltName=DNS:%s\nauthorityKeyIdentifier=keyid\n' "$3" > $2.ext
  openssl x509 -req -in $2.csr -CA $1.crt -CAkey $1.key -CAcreateserial -days "$4" \
    -extfile $2.ext -out $2.crt 2>/dev/null
}}
[ -e etrangere.crt ] || {{
  autorite ac; autorite etrangere
  emettre ac tdt {TDT} 90; emettre ac machine machine.example 90; emettre ac agent agent.example 90
  emettre etrangere intrus intrus.example 90
}}
"""
SETUP = f"""\
set -eu
test -x /usr/sbin/nginx || {{
  ln -sf /dev/null /etc/systemd/system/nginx.service
  apt-get install -y -qq --no-install-recommends nginx-light >/dev/null 2>&1 || {{ apt-get update -qq
  apt-get install -y -qq --no-install-recommends nginx-light >/dev/null; }}
}}
id sae >/dev/null 2>&1 || useradd --system --home-dir / --shell /usr/sbin/nologin sae
rm -rf {PLACE}/sae {PLACE}/recus
install -d -o root -g root -m 755 {PLACE}/sae {PLACE}/recus
install -d -o sae -g sae -m 700 {PLACE}/sae/depot {PLACE}/sae/retours
test -e {PLACE}/cles/sae || ssh-keygen -q -t ed25519 -N '' -C '' -f {PLACE}/cles/sae
install -o root -g root -m 644 {PLACE}/cles/sae.pub /etc/ssh/sae.keys
cat > /etc/ssh/sshd_config.d/50-sae.conf <<'END'
Match User sae
  ChrootDirectory {PLACE}/sae
  ForceCommand internal-sftp
  AuthorizedKeysFile /etc/ssh/sae.keys
  PasswordAuthentication no
  DisableForwarding yes
END
sshd -t && systemctl reload ssh
for unit in envois-tdt envois-doublure; do systemctl stop $unit 2>/dev/null || true; done
systemd-run --quiet --collect --unit=envois-doublure python3 {PLACE}/doublure.py
systemd-run --quiet --collect --unit=envois-tdt nginx -c {PLACE}/nginx.conf -e {PLACE}/nginx.log
"""


@dataclass(frozen=True)
class Peers:
    """What a pack and an agent need to know of the peers."""

    lab: Lab
    fingerprint: str
    sftp_key: str = field(repr=False)

    def shell(self, script: str, given: str | None = None) -> str:
        """Run a script on ``monde``; return what it says."""
        done = self.lab.run("monde", ["sh", "-c", script], text_input=given)
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def file(self, name: str) -> str:
        """Return a certificate or key."""
        return self.shell(f"cat {PLACE}/cles/{name}")

    def keep(self, folder: Path, *names: str) -> None:
        """Write certificates and keys in a folder, readable by their owner alone."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).write_text(self.file(name), encoding="utf-8")
            (folder / name).chmod(0o600)

    def confirm(self, transaction: str, folder: Path, name: str) -> int:
        """Confirm an act as an agent's browser does, with a certificate; return the status of the answer."""
        self.keep(folder, "ac.crt", f"{name}.crt", f"{name}.key")
        context = ssl.create_default_context(cafile=str(folder / "ac.crt"))
        context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
        connection = http.client.HTTPSConnection(TDT, TDT_PORT, timeout=20, context=context)
        plain = socket.create_connection((str(self.lab.host("monde").address), TDT_PORT), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=TDT)
        try:
            body, kind = f"api=1&id={transaction}", {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/modules/actes/actes_transac_post_confirm_api.php", body, kind)
            return connection.getresponse().status
        finally:
            connection.close()


def put(lab: Lab, path: str, text: str) -> None:
    """Write a file on ``monde``."""
    done = lab.run("monde", ["sh", "-c", f"mkdir -p $(dirname {path}) && cat > {path}"], text_input=text)
    assert done.returncode == 0, done.stderr


def install_peers(lab: Lab) -> Peers:
    """Make the peers on ``monde``, with names of their own; those that stand are started anew, and hold nothing."""
    put(lab, f"{PLACE}/doublure.py", STAND_IN)
    put(lab, f"{PLACE}/nginx.conf", NGINX)
    put(lab, f"{PLACE}/classification.xml", RECORDED.read_text(encoding="iso-8859-1"))
    peers = Peers(lab, "", "")
    peers.shell(CERTIFICATES)
    peers.shell(SETUP)
    address = lab.host("monde").address
    names = "".join(f"knotc -b zone-unset monde.example {name.split('.')[0]} A; " for name in (TDT, SAE))
    sets = "".join(f"knotc -b zone-set monde.example {name.split('.')[0]} 60 A {address} && " for name in (TDT, SAE))
    peers.shell(
        f"knotc -b zone-begin monde.example >/dev/null; ({names}) >/dev/null 2>&1; {sets}"
        " knotc -b zone-commit monde.example"
    )
    fingerprint = peers.shell("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    return Peers(lab, fingerprint, peers.file("sae"))
