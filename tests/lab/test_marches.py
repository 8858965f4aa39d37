# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune publishes of its contracts, fetched from a deployed web host; each check seen red for its reason."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packmairie.lab import Lab
from packmairie.model.pack import Pack

pytestmark = pytest.mark.lab
COMMUNE, HOST = "62708", "www.riencourt-les-bapaume.fr"
FOLDER = f"/srv/communes/{HOST}/marches"


@pytest.fixture(scope="module")
def fetch(pack: Pack, lab: Lab) -> Callable[[str], tuple[int, str, bytes]]:
    """Return a function that fetches a path of the commune's site: status, content type, body."""
    address = str(pack.file.plateforme.ipv4[0])
    context = ssl.create_default_context(cafile=str(lab.root_certificate()))

    def ask(path: str) -> tuple[int, str, bytes]:
        connection = http.client.HTTPSConnection(HOST, timeout=20, context=context)
        plain = socket.create_connection((address, 443), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        try:
            connection.request("GET", path, headers={"Host": HOST})
            answer = connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        finally:
            connection.close()

    return ask


def states(packmairie: Callable[..., Any]) -> dict[str, str]:
    """Return the state of each check of this brique."""
    told = packmairie("status", COMMUNE, "--json")
    return {item["check"]: item["state"] for item in json.loads(told.out) if item["brique"] == "marches"}


class TestPublished:
    def test_served_as_they_were_validated(self, fetch, pack_folder: Path) -> None:
        kept = pack_folder / "publications" / COMMUNE / "marches"
        types = {
            "decp.json": "application/json",
            "catalogue.jsonld": "application/ld+json",
            "liste-2026.csv": "text/csv",
        }
        for name, expected in types.items():
            status, kind, body = fetch(f"/marches/{name}")
            assert status == 200
            assert kind.startswith(expected)
            assert body == (kept / name).read_bytes()

    def test_the_site_leads_to_them(self, fetch) -> None:
        _status, _kind, page = fetch("/demarches/")
        assert f'href="https://{HOST}/marches/decp.json"'.encode() in page

    def test_everything_is_green(self, deployed, packmairie) -> None:
        assert set(states(packmairie).values()) == {"conforme"}

    def test_each_red_for_its_own_reason(self, deployed, packmairie, lab: Lab, pack_folder: Path) -> None:
        lab.run("plateforme", ["sh", "-c", f"mv {FOLDER}/decp.json /root/garde.json"])
        try:
            found = states(packmairie)
            assert found["decp-publie"] == found["decp-a-jour"] == "non_conforme"
            assert found["catalogue-dcat"] == found["profil-acheteur"] == "conforme"
            lab.run("plateforme", ["sh", "-c", f"sed s/toiture/cave/ /root/garde.json > {FOLDER}/decp.json"])
            found = states(packmairie)
            assert found["decp-a-jour"] == "non_conforme"
            assert found["decp-valide"] == "non_verifie"
            lab.run("plateforme", ["sh", "-c", f"sed s/2026-10-12/2026-13-45/ /root/garde.json > {FOLDER}/decp.json"])
            assert states(packmairie)["decp-valide"] == "non_conforme"
        finally:
            lab.run("plateforme", ["sh", "-c", f"mv /root/garde.json {FOLDER}/decp.json; chmod 644 {FOLDER}/decp.json"])
        assert set(states(packmairie).values()) == {"conforme"}
