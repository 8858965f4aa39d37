# SPDX-License-Identifier: GPL-3.0-or-later
"""The reporting channel served by gunicorn, in Debian's Chromium: journeys without script, axe, keyboard, zoom.

PACKMAIRIE_PORTAIL_IMAGES=FOLDER writes a picture of every page that is met, at 375 and 1280 px.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "exemple de mot de passe"
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium n'est pas installé (apt-get install chromium)")


@pytest.fixture(scope="module")
def service(tmp_path_factory) -> Iterator[tuple[str, str, str]]:
    """Give the address of the service, and the TOTP keys of a custodian and of a member."""
    data = tmp_path_factory.mktemp("portail")
    command = [str(Path(sys.executable).with_name("packmairie")), "portail"]
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PACKMAIRIE_PORTAIL", "DJANGO"))}
    subprocess.run(
        [*command, "manage", "--data", str(data), "migrate"], env=env, check=True, capture_output=True, timeout=60
    )
    demo = [*command, "manage", "--data", str(data), "signalement_demo"]
    told = subprocess.run(demo, env=env, check=True, capture_output=True, text=True, timeout=60).stdout
    keys = dict(re.findall(r"^(\S+) : .*clé TOTP (\w+)", told, re.MULTILINE))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen([*command, "serve", "--data", str(data), "--port", str(port)], env=env)
    origin = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                if httpx.get(origin, timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        else:
            pytest.fail("the service did not start")
        yield origin, keys["garant.exemple"], keys["membre.exemple"]
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


class Eye:
    """Looks at each page that a journey meets: axe, overflow at 375, 640 (1280 at 200 %) and 1280 px, pictures."""

    def __init__(self, page: Any) -> None:
        self.page, self.seen = page, []

    def look(self, name: str) -> None:
        """Check the page as it is."""
        from axe_playwright_python.base import AXE_SCRIPT

        # A click returns once the next page is known to come, which may be before any of it is there.
        self.page.wait_for_load_state()
        images = os.environ.get("PACKMAIRIE_PORTAIL_IMAGES")
        for width, height in ((640, 450), (375, 800), (1280, 900)):
            self.page.set_viewport_size({"width": width, "height": height})
            assert self.page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
            if images and width != 640:
                self.page.screenshot(path=f"{images}/{len(self.seen):02d}-{name}-{width}.png", full_page=True)
            if width == 640:
                continue
            self.page.evaluate(AXE_SCRIPT)
            found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            told = [(v["id"], [n["html"][:150] for n in v["nodes"]]) for v in found["violations"]]
            assert told == [], (name, width)
        twice = self.page.evaluate(
            "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i)"
        )
        assert twice == [], name
        assert self.page.locator("h1").count() == 1, name
        assert " — " in self.page.title(), name
        self.seen.append(name)


def fill_facts(page: Any, files: list[Path]) -> None:
    page.get_by_label("Je le vis moi-même").check()
    page.get_by_label("J'y travaille").check()
    page.get_by_label("Harcèlement moral").check()
    page.get_by_label("Que se passe-t-il ?").fill("Chaque matin, devant tout le monde, depuis la rentrée.")
    page.get_by_label("Depuis quand ?").fill("Septembre")
    page.get_by_label("Documents").set_input_files([str(file) for file in files])
    page.get_by_label("Il peut savoir qu'un signalement existe").check()
    page.get_by_label("Oui, je donne mon nom").check()
    page.get_by_label("Votre nom", exact=False).last.fill("Prénom Exemple")


@pytest.fixture(scope="module")
def journey(service, browser, tmp_path_factory) -> tuple[list[str], str, str]:
    """Walk the whole way of an author, then of a custodian; axe on each page and error. Scripts of pages are off."""
    origin, custodian, _member = service
    file = tmp_path_factory.mktemp("pieces") / "message reçu.txt"
    file.write_text("Un message", encoding="utf-8")
    # axe is put into the page by the test, which the policy would refuse to the page itself.
    context = browser.new_context(bypass_csp=True, locale="fr-FR")
    eye = Eye(page := context.new_page())
    for path, name in (
        ("/", "accueil"),
        ("/comment/", "comment"),
        ("/accessibilite/", "accessibilite"),
        ("/nulle-part/", "404"),
    ):
        page.goto(origin + path)
        eye.look(name)
    page.goto(origin + "/")
    page.get_by_role("link", name="Faire un signalement").click()
    eye.look("situation")
    page.get_by_role("button", name="Continuer").click()
    eye.look("situation-erreur")
    page.get_by_label("Dans quelle commune").fill("riencourt")
    page.get_by_label("Un ou une collègue").check()
    page.get_by_role("button", name="Continuer").click()
    eye.look("situation-choix")
    page.get_by_label("Riencourt-lès-Bapaume").check()
    page.get_by_role("button", name="Continuer").click()
    eye.look("faits")
    page.get_by_role("button", name="Envoyer mon signalement").click()
    eye.look("faits-erreur")
    fill_facts(page, [file])
    page.get_by_role("button", name="Envoyer mon signalement").click()
    page.locator("#numero").wait_for()
    number, code = page.locator("#numero").inner_text(), page.locator("#code-affiche").inner_text()
    eye.look("recepisse")
    page.get_by_label("Votre code").fill("7KDM-2XQH-90VB-C3TE")
    page.get_by_role("button", name="J'ai noté le code").click()
    eye.look("code-a-revoir")
    page.get_by_label("Votre code").fill(code)
    page.get_by_role("button", name="Vérifier").click()
    page.wait_for_url("**/suivi/")
    eye.look("suivi")
    page.get_by_role("button", name="Envoyer").click()
    eye.look("suivi-erreur")
    page.get_by_label("Votre message").fill("Un mot de plus")
    page.get_by_role("button", name="Envoyer").click()
    page.get_by_role("button", name="Fermer mon signalement").click()
    page.goto(origin + "/retour/")
    eye.look("retour")
    page.get_by_label("Votre numéro").fill(number)
    page.get_by_label("Votre code").fill("7KDM-2XQH-90VB-C3TE")
    page.get_by_role("button", name="Ouvrir").click()
    eye.look("retour-refus")
    page.goto(origin + "/signaler/")
    page.get_by_label("Dans quelle commune").fill("Lille")
    page.get_by_label("Un ou une collègue").check()
    page.get_by_role("button", name="Continuer").click()
    page.locator("#choix-59350").check()
    page.get_by_role("button", name="Continuer").click()
    eye.look("non-adherent")
    # The custodian.
    page.goto(origin + "/cellule/")
    eye.look("connexion")
    page.get_by_role("button", name="Se connecter").click()
    eye.look("connexion-erreur")
    page.goto(origin + "/cellule/connexion/")
    page.get_by_label("Identifiant").fill("garant.exemple")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_label("Code de votre application").fill(pyotp.TOTP(custodian).now())
    page.get_by_role("button", name="Se connecter").click()
    page.wait_for_url("**/cellule/")
    eye.look("file")
    page.get_by_role("link", name=number).click()
    eye.look("dossier")
    page.get_by_text("Ouvrir l'identité").click()
    page.get_by_role("button", name="Ouvrir", exact=True).click()
    eye.look("dossier-erreur")
    page.get_by_label("Motif de l'ouverture").fill("Convenir de l'entretien demandé")
    page.get_by_role("button", name="Ouvrir", exact=True).click()
    assert "Prénom Exemple" in page.locator("#identite-ouverte").inner_text()
    page.wait_for_load_state()
    for summary in page.locator("summary").all():
        if not summary.evaluate("e => e.parentElement.open"):
            summary.click()
    eye.look("dossier-ouvert")
    page.locator("#etat_etat").select_option("recevable")
    page.locator("details", has=page.locator("#etat_etat")).get_by_role("button", name="Enregistrer").click()
    assert page.locator(".etat").first.inner_text() == "Recevable"
    with page.expect_download() as waiting:
        page.get_by_text("Transmettre à l'autorité").click()
        page.locator("#transmettre_destinataire").fill("Madame la Maire")
        page.get_by_role("button", name="Produire le fichier").click()
    assert waiting.value.suggested_filename.endswith(".zip.age")
    for path, name in (("saisie", "saisie"), ("equipe", "equipe"), ("bilan", "bilan"), ("journal", "journal")):
        page.goto(f"{origin}/cellule/{path}/")
        eye.look(name)
    page.goto(f"{origin}/cellule/saisie/")
    page.get_by_role("button", name="Enregistrer").click()
    eye.look("saisie-erreur")
    page.goto(f"{origin}/cellule/equipe/")
    page.get_by_label("Identifiant").fill("nouvelle.exemple")
    page.get_by_label("Nom", exact=True).fill("Nouvelle Exemple")
    page.get_by_role("button", name="Inviter").click()
    eye.look("invitation-donnee")
    invitation = page.locator("#invitation").inner_text()
    page.goto(f"{origin}/cellule/invitation/")
    eye.look("invitation")
    page.get_by_label("Identifiant").fill("nouvelle.exemple")
    page.get_by_label("Code d'invitation").fill(invitation)
    page.get_by_label("Nouveau mot de passe").fill(PASSWORD)
    page.get_by_label("Le même, encore").fill(PASSWORD)
    page.get_by_role("button", name="Continuer").click()
    page.locator("#recuperation").wait_for()
    eye.look("deuxieme-facteur")
    context.close()
    return eye.seen, number, code


def test_every_page_and_error_is_accessible_and_fits(journey):
    seen, _number, _code = journey
    assert len(seen) >= 29
    assert len(set(seen)) == len(seen)


def test_no_script_exists_and_none_is_needed(service, browser, journey):
    """With JavaScript off and the policy in force, an author comes back, and nothing is refused or asked elsewhere."""
    origin, _custodian, _member = service
    _seen, number, code = journey
    context = browser.new_context(java_script_enabled=False, locale="fr-FR")
    page = context.new_page()
    told: list[Any] = []
    asked: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(origin + "/retour/")
    page.get_by_label("Votre numéro").fill(number.lower().replace("-", " "))
    page.get_by_label("Votre code").fill(code.lower())
    page.get_by_role("button", name="Ouvrir").click()
    page.wait_for_load_state()
    assert "Recevable" in page.content()
    assert "Un mot de plus" in page.content()
    assert page.locator("script").count() == 0
    assert told == []
    assert all(url.startswith((origin, "data:")) for url in asked)
    cookies = {c["name"]: c for c in context.cookies()}
    assert set(cookies) == {"csrftoken", "suivi"}
    assert all(c["httpOnly"] and c["sameSite"] == "Strict" and c["expires"] == -1 for c in cookies.values())
    context.close()


def test_keyboard_alone_from_the_first_page_to_the_form(service, browser):
    """The skip link comes first, then the way out; each stop shows its focus; a report can be started by keys alone."""
    origin, _custodian, _member = service
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(origin + "/")
    focused = "document.activeElement"
    met = []
    for _ in range(30):
        page.keyboard.press("Tab")
        text = page.evaluate(f"{focused}.textContent.trim()")
        style = page.evaluate(f"(s => [s.outlineStyle, parseFloat(s.outlineWidth)])(getComputedStyle({focused}))")
        assert style[0] == "solid", text
        assert style[1] >= 2, text
        # The sticky header must not hide what has the focus (WCAG 2.2, 2.4.11).
        page.wait_for_timeout(160)
        covered = page.evaluate(
            f"(e => {{ const box = e.getBoundingClientRect(), head = document.querySelector('.entete');"
            " return !head.contains(e) && !e.classList.contains('evitement')"
            f" && box.bottom < head.getBoundingClientRect().bottom }})({focused})"
        )
        assert not covered, text
        met.append(text)
        if text == "Faire un signalement":
            break
    assert met[0] == "Aller au contenu"
    assert "Quitter vite" in met
    page.keyboard.press("Enter")
    page.wait_for_url("**/signaler/")
    page.locator("h1").wait_for()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate(f"{focused}.name") == "commune":
            break
    page.keyboard.type("62708")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_timeout(500)
    assert page.locator("h1").inner_text() in ("Votre signalement", "Qui peut vous aider ?")


def test_quick_exit_leaves_no_session(service, browser, journey):
    origin, _custodian, _member = service
    _seen, number, code = journey
    context = browser.new_context(locale="fr-FR")
    page = context.new_page()
    page.route(
        re.compile(r"wikipedia"), lambda route: route.fulfill(body="<h1>Ailleurs</h1>", content_type="text/html")
    )
    page.goto(origin + "/retour/")
    page.get_by_label("Votre numéro").fill(number)
    page.get_by_label("Votre code").fill(code)
    page.get_by_role("button", name="Ouvrir").click()
    page.wait_for_url("**/suivi/")
    page.get_by_role("link", name="Quitter vite").click()
    page.wait_for_url(re.compile("wikipedia"))
    page.goto(origin + "/suivi/")
    assert page.url.endswith("/retour/")
    context.close()
