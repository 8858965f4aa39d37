# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey in Debian's Chromium: from the making of a campaign to its results, axe-core at each page and each fault.

PACKMAIRIE_SCREENSHOTS=docs/images writes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from sondage_campaigns import answer_all, campaign

from packmairie.portail.sondage.depouillement import count
from packmairie.portail.sondage.models import Campagne, Invitation

CHROMIUM = Path("/usr/bin/chromium")
WIDTHS = (375, 1280)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "un long mot de passe d'essai"
pytestmark = [
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium n'est pas installé (apt-get install chromium)"),
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(scope="module", autouse=True)
def _loop_beside_django() -> Iterator[None]:
    """Playwright keeps an event loop in this thread, in which Django would refuse to use its database."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def manager() -> User:
    user = User.objects.create_user("agent.exemple", password=PASSWORD)
    user.user_permissions.add(Permission.objects.get(codename="gerer"))
    return user


def sound(page: Any, name: str) -> None:
    """Check a page as it is: axe finds nothing, nothing overflows at either width; keep its picture when asked."""
    from axe_playwright_python.base import AXE_SCRIPT

    # A click returns once the next page is known to come, which may be before any of it is there.
    page.wait_for_load_state()
    wished = os.environ.get("PACKMAIRIE_SCREENSHOTS")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(AXE_SCRIPT)
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == [], (name, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (name, width)
        if wished:
            page.screenshot(path=str(Path(wished) / f"sondage-{name}-{width}.png"), full_page=True)


def log_in(page: Any, origin: str) -> None:
    page.goto(f"{origin}/sondage/gestion/connexion/")
    page.get_by_label("Nom d’utilisateur").fill("agent.exemple")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()


def test_from_campaign_to_count(live_server, browser, manager):
    """A manager makes a campaign and invites; a collectivité answers by keyboard, with a pause; the box is counted."""
    context = browser.new_context(bypass_csp=True, locale="fr-FR", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live_server.url}/sondage/gestion/connexion/")
    sound(page, "connexion")
    log_in(page, live_server.url)
    sound(page, "gestion-vide")
    page.get_by_role("link", name="Nouvelle enquête").click()
    sound(page, "nouvelle")
    page.get_by_label("Répondre avant le").fill("2099-12-31")
    page.get_by_label("Base de sondage").fill(
        "identifiant;nom;departement;population;adhesion;epci;courriel\n"
        + "".join(f"{i};Commune {i};62;{100 * i};affiliée;CC;m{i}@example.org\n" for i in range(1, 9))
    )
    page.get_by_label("Collectivités à inviter").fill("99")
    page.get_by_label("Graine du tirage").fill("Lille, 24 novembre 2026")
    page.get_by_role("button", name="Tirer l'échantillon").click()
    assert "la base n'en compte que 8" in page.locator("#erreurs").inner_text()
    sound(page, "nouvelle-faute")
    page.get_by_label("Collectivités à inviter").fill("8")
    page.get_by_role("button", name="Tirer l'échantillon").click()
    key = page.locator(".code").inner_text()
    assert key.startswith("CLE-URNE-")
    sound(page, "cle")
    page.get_by_role("link", name="La clé est notée").click()
    sound(page, "campagne-preparation")
    page.get_by_role("button", name="Ouvrir l'enquête").click()
    page.get_by_role("button", name="Envoyer 8 invitations").click()
    assert "8 envoyés, 0 refusés" in page.locator("main").inner_text()
    sound(page, "envoi")
    assert len(mail.outbox) == 8

    visitor = browser.new_context(bypass_csp=True, locale="fr-FR", java_script_enabled=True)
    first = visitor.new_page()
    for number, message in enumerate(mail.outbox):
        link = re.search(r"https?://\S+/sondage/r/\S+/", message.body)
        assert link is not None
        if number == 0:
            fill_by_keyboard(first, link[0])
            assert visitor.cookies()[0]["name"] == "csrftoken"
            assert len(visitor.cookies()) == 1
        else:
            fill(first, link[0])
    first.goto(link[0])
    assert first.locator("h1").inner_text() == "Vous avez déjà répondu"
    sound(first, "deja")
    first.goto(f"{live_server.url}/sondage/")
    sound(first, "entrer")
    first.get_by_label("Code de l'invitation").fill("FAUX")
    first.get_by_role("button", name="Commencer").click()
    sound(first, "entrer-faute")

    page.get_by_role("link", name="Retour à l'enquête").click()
    sound(page, "campagne-ouverte")
    page.get_by_role("button", name="Clore l'enquête").click()
    page.get_by_role("link", name="Dépouiller l'urne").click()
    page.get_by_label("Clé de l'urne").fill("CLE-URNE-FAUSSE")
    page.get_by_role("button", name="Dépouiller").click()
    assert "cette clé n'ouvre pas l'urne" in page.locator("#erreurs").inner_text()
    sound(page, "depouiller-faute")
    page.get_by_label("Clé de l'urne").fill(key)
    page.get_by_role("button", name="Dépouiller").click()
    assert page.locator("h1").inner_text() == "Votre relation avec le Centre de gestion 2026", page.content()
    assert "8 réponses sur 8" in page.locator(".sous-titre").inner_text()
    sound(page, "resultats-8")
    assert all(url.startswith((live_server.url, "data:")) for url in asked)
    context.close()
    visitor.close()


def fill(page: Any, link: str) -> None:
    """Answer with the mouse: the first choice of every fieldset."""
    page.goto(link)
    page.locator("a.bouton").click()
    for _page in range(4):
        page.wait_for_load_state()
        for fieldset in page.locator("fieldset").all():
            fieldset.locator("input").first.check()
        page.locator("button[name=suivant]").click()
    page.get_by_role("button", name="Envoyer mes réponses").click()
    assert page.locator("h1").inner_text() == "Merci, votre réponse est enregistrée"


def fill_by_keyboard(page: Any, link: str) -> None:
    """Answer with the keyboard alone, stop in the middle, come back, and find what was answered."""
    page.goto(link)
    sound(page, "debut")
    focused = "document.activeElement"

    def tab_to(condition: str) -> None:
        for _press in range(60):
            page.keyboard.press("Tab")
            if page.evaluate(f"(() => {{ const e = {focused}; return {condition} }})()"):
                return
        raise AssertionError(condition)

    tab_to("e.className == 'bouton'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/1/")
    sound(page, "page-1")
    tab_to("e.value == 'paie'")
    page.keyboard.press("Space")
    tab_to("e.name == 'suivant'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/2/")
    sound(page, "page-2")
    for code in ("contact", "accueil", "ecoute"):
        tab_to(f"e.name == 'satisfaction.{code}'")
        page.keyboard.press("ArrowDown")
    tab_to("e.name == 'plus_tard'")
    page.keyboard.press("Enter")
    page.wait_for_selector(".code")
    sound(page, "garde")
    page.goto(link)
    tab_to("e.textContent == 'Reprendre'")
    page.keyboard.press("Enter")
    page.wait_for_url("**/1/")
    assert page.locator("input[value=paie]").is_checked()
    page.locator("button[name=suivant]").click()
    assert page.locator("input[name='satisfaction.contact'][value=assez]").is_checked()
    page.locator("button[name=suivant]").click()
    page.locator("button[name=suivant]").click()
    page.locator("textarea").fill("Répondre plus vite. " * 150)
    page.locator("button[name=suivant]").click()
    assert "2000 au plus" in page.locator("#erreurs").inner_text()
    sound(page, "page-faute")
    page.locator("textarea").fill("Répondre plus vite.")
    page.locator("button[name=suivant]").click()
    sound(page, "relire")
    page.get_by_role("button", name="Envoyer mes réponses").click()
    sound(page, "merci")


def test_results_of_three_hundred(live_server, browser, manager):
    """The page of a real size, with a former year to compare with, as an élu sees it, published, without JavaScript."""
    for annee, seed in ((2025, 5), (2026, 6)):
        made, key = campaign(300, annee=annee, departements=("59", "62"), minimum=2)
        answer_all(made, seed, rate=0.9)
        Campagne.objects.filter(pk=made.pk).update(etat="close", publiee=True)
        made.refresh_from_db()
        count(made, key or "")
    context = browser.new_context(bypass_csp=True, locale="fr-FR")
    page = context.new_page()
    answer = page.goto(f"{live_server.url}/sondage/resultats/{made.pk}/")
    assert answer.status == 200
    sound(page, "resultats")
    assert page.locator("svg.graphique[role=img]").count() == 3
    assert page.locator("table").count() >= 5
    assert "non significative" in page.locator("main").inner_text()
    sober = browser.new_context(java_script_enabled=False)
    plain = sober.new_page()
    refused: list[str] = []
    plain.on("console", lambda message: refused.append(message.text))
    plain.goto(f"{live_server.url}/sondage/resultats/{made.pk}/")
    assert refused == []  # the strict policy is enough
    log_in(page, live_server.url)
    page.goto(f"{live_server.url}/sondage/gestion/{made.pk}/")
    sound(page, "campagne-depouillee")
    page.goto(f"{live_server.url}/sondage/gestion/{made.pk}/verbatims/")
    sound(page, "verbatims")
    opened, _key = campaign(30, annee=2027)
    page.goto(f"{live_server.url}/sondage/gestion/{opened.pk}/lettres/?tous")
    assert page.locator("section.lettre").count() == 30
    sound(page, "lettres")
    assert Invitation.objects.filter(campagne=opened, utilise=False, invitee=True).count() == 30
    context.close()
    sober.close()
