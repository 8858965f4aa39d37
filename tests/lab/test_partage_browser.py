# SPDX-License-Identifier: GPL-3.0-or-later
"""The journeys of a link and of a drop box in a browser: an agent makes them, an outsider uses them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browsing import CHROMIUM, chromium_in
from partage_client import SecretsOf, host_of

from packmairie.lab import Lab
from packmairie.model.pack import Pack

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium n'est pas installé (apt-get install chromium)"),
]
COMMUNE = "62633"
PUT = "async ([path, text]) => (await fetch(path, {method: 'PUT', body: text})).status"
LINK_ENDS = 150
"""A link of one minute refuses after two at most: copyparty looks once a minute."""


@dataclass(frozen=True)
class Visitors:
    """A browser that knows where the commune's file space is; every visitor has cookies of his own."""

    engine: Any
    host: str
    login: str
    password: str

    def outsider(self, *, narrow: bool = False) -> Any:
        """Return the page of someone without an account."""
        size = {"width": 375, "height": 740} if narrow else {"width": 1280, "height": 800}
        return self.engine.new_context(ignore_https_errors=True, locale="fr-FR", viewport=size).new_page()

    def agent(self) -> Any:
        """Return the page of an agent who has logged in."""
        from playwright.sync_api import expect

        page = self.outsider()
        page.goto(f"https://{self.host}/")
        expect(page.get_by_role("heading", name="Connexion")).to_be_visible()
        page.get_by_label("Adresse").fill(self.login)
        page.get_by_label("Mot de passe").fill(self.password)
        page.keyboard.press("Enter")
        expect(page.locator("#files").get_by_role("link", name="commun/")).to_be_visible()
        return page


@pytest.fixture(scope="module")
def visitors(pack: Pack, lab: Lab, secrets: SecretsOf, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitors]:
    """The browser, with an agent's login."""
    from playwright.sync_api import sync_playwright

    commune = pack.commune(COMMUNE)
    host, address = host_of(commune), str(pack.file.plateforme.ipv4[0])
    password = secrets(COMMUNE)["messagerie.boites.secretariat"]["mot_de_passe"]
    rules = f"--host-resolver-rules=MAP {host} {address}"
    with sync_playwright() as started:
        program = chromium_in(lab, tmp_path_factory.mktemp("navigateur"))
        engine = started.chromium.launch(executable_path=program, args=["--no-sandbox", rules])
        try:
            yield Visitors(engine, host, f"secretariat@{commune.domaine.nom}", password)
        finally:
            engine.close()


def test_a_link_made_in_the_dialog_opens_by_its_password_alone_and_ends(visitors: Visitors) -> None:
    from playwright.sync_api import expect

    agent, outsider, late = visitors.agent(), visitors.outsider(narrow=True), visitors.outsider()
    folder, name = f"/{COMMUNE}/commun/navigateur-{time.time():.0f}/", "plan de la salle.txt"
    assert agent.evaluate(PUT, [folder + name, "le plan"]) == 201
    agent.goto(f"https://{visitors.host}{folder}")
    expect(agent.locator("#fshr")).to_contain_text("lien")
    agent.locator("#fshr").click()
    expect(agent.locator("#shui")).to_contain_text("droits")
    expect(agent.get_by_label("lire", exact=True)).to_be_visible()
    agent.locator("#sh_pw").fill("sesame")
    agent.locator("#sh_exm").fill("1")
    began = time.monotonic()
    agent.locator("#sh_apply").click()
    shown = agent.locator("#modal")
    expect(shown).to_contain_text(f"https://{visitors.host}/p/{COMMUNE}-")
    found = re.search(r"https://\S+/p/\S+/", shown.inner_text())
    assert found
    address = found.group(0)

    assert outsider.goto(address).status == 403
    expect(outsider.get_by_role("heading", name="Lien fermé")).to_be_visible()
    assert "┻" not in outsider.locator("body").inner_text()
    outsider.get_by_label("Mot de passe").fill("faux")
    outsider.get_by_role("button", name="Ouvrir").click()
    expect(outsider.get_by_role("heading", name="Lien fermé")).to_be_visible()
    assert outsider.evaluate("async name => (await fetch(name)).status", name) == 403
    outsider.get_by_label("Mot de passe").fill("sesame")
    outsider.get_by_role("button", name="Ouvrir").click()
    expect(outsider.get_by_role("link", name=name).first).to_be_visible()
    assert outsider.evaluate("async name => (await fetch(name)).text()", name) == "le plan"
    assert outsider.evaluate(PUT, ["intrus.txt", "x"]) in (401, 403)
    assert outsider.evaluate("async path => (await fetch(path)).status", folder) in (401, 403)

    # The hour of its end, for the one who has opened it and for the one who comes then.
    while outsider.goto(address).status == 200 and time.monotonic() - began < LINK_ENDS:
        outsider.wait_for_timeout(3000)
    assert time.monotonic() - began >= 55
    expect(outsider.get_by_role("heading", name="Lien fermé")).to_be_visible()
    assert outsider.evaluate("async name => (await fetch(name)).status", name) in (403, 404)
    late.goto(address)
    late.get_by_label("Mot de passe").fill("sesame")
    late.get_by_role("button", name="Ouvrir").click()
    expect(late.get_by_role("heading", name="Lien fermé")).to_be_visible()


def test_a_drop_box_from_the_browser(visitors: Visitors, lab: Lab, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    host, agent, outsider = visitors.host, visitors.agent(), visitors.outsider()
    deposit = tmp_path / f"depot-{time.time():.0f}.txt"
    deposit.write_text("déposé au navigateur", encoding="utf-8")
    agent.get_by_role("link", name="Boîte de dépôt").click()
    agent.get_by_role("button", name="Créer le lien").click()
    output = agent.locator("#packmairie-boite output")
    expect(output).to_contain_text(f"https://{host}/p/{COMMUNE}-")
    outsider.goto(output.inner_text())
    expect(outsider.locator("#u2btn")).to_be_visible()
    # The window that chooses a file is not the page's: its own script sends one here.
    send = "async ([name, text]) => (await fetch(location.pathname + name, {method: 'PUT', body: text})).status"
    assert outsider.evaluate(send, [deposit.name, "déposé au navigateur"]) == 201
    limit = time.monotonic() + 60
    while time.monotonic() < limit:
        # The round of each minute, without waiting for its timer.
        assert lab.run("plateforme", ["systemctl", "start", "packmairie-partage-depots.service"]).returncode == 0
        agent.goto(f"https://{host}/{COMMUNE}/depot/")
        agent.wait_for_timeout(1500)
        if agent.get_by_role("link", name=deposit.name).count():
            break
    expect(agent.get_by_role("link", name=deposit.name).first).to_be_visible()
    assert agent.evaluate("async name => (await fetch(name)).text()", deposit.name) == "déposé au navigateur"
