# SPDX-License-Identifier: GPL-3.0-or-later
"""The webmail of a deployed platform in Debian's Chromium: axe-core on its pages, and a journey without a mouse.

PACKMAIRIE_SCREENSHOTS=docs/images writes the pictures of the documentation.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import CHROMIUM, chromium_in
from test_presence import PATIENCE, Front, Mailbox, SecretsOf, mailbox

from packmairie.lab import Lab
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack

pytestmark = pytest.mark.lab

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SUBJECT = "Horaires pendant les congés (exemple)"
TEXT = "Bonjour,\n\nLa mairie sera-t-elle ouverte le 24 décembre ?\n\nMerci."
KNOWN: dict[str, dict[str, int]] = {}
"""What Roundcube itself leaves to mend, by page: rules of axe-core, and how many elements. A new one fails."""
TABS = 120
FOCUSED = "document.activeElement"


@pytest.fixture(scope="module")
def commune(pack: Pack) -> Commune:
    """A commune with mail, an agent, and colours of its own."""
    return next(c for c in pack.communes if c.deploys("messagerie") and c.agents and c.site.couleurs)


@pytest.fixture(scope="module")
def agent(pack: Pack, commune: Commune, lab: Lab, secrets: SecretsOf) -> Mailbox:
    """The agent, who has one message to read."""
    context = ssl.create_default_context(cafile=str(lab.root_certificate()))
    front = Front(str(pack.file.plateforme.ipv4[0]), context)
    agent = mailbox(commune, commune.agents[0].identifiant, front, pack, secrets)
    agent.write(agent.address, SUBJECT, TEXT)
    return agent


@pytest.fixture(scope="module")
def browser(pack: Pack, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium n'est pas installé (scripts/install-test-tools)")
    playwright = pytest.importorskip("playwright.sync_api")
    name = pack.file.plateforme.host_name("webmail")
    arguments = [*ARGUMENTS, f"--host-resolver-rules=MAP {name} {pack.file.plateforme.ipv4[0]}"]
    with playwright.sync_playwright() as driver:
        program = chromium_in(lab, tmp_path_factory.mktemp("navigateur"))
        opened = driver.chromium.launch(executable_path=program, args=arguments)
        yield opened
        opened.close()


def visitor(browser: Any, width: int) -> Any:
    """Return a page of that width; the lab's authority is not the browser's, and axe is put in by the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, ignore_https_errors=True, bypass_csp=True, locale="fr-FR"
    )
    return context.new_page()


def log_in(page: Any, url: str, agent: Mailbox) -> None:
    page.goto(url)
    page.fill("#rcmloginuser", agent.address)
    page.fill("#rcmloginpwd", agent.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**_task=mail**")


def wait_for_message(page: Any, url: str, subject: str) -> str:
    """Return the address of a message of the inbox, once it is there."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        page.goto(f"{url}?_task=mail")
        found = page.locator("#messagelist td.subject a", has_text=subject)
        if found.count():
            return str(found.first.evaluate("link => link.href"))
        page.wait_for_timeout(1000)
    raise AssertionError(f"no message about {subject} in {PATIENCE} s")


def violations(page: Any) -> dict[str, int]:
    """Return the rules of axe-core that a page and its frames break, and how many elements each."""
    from axe_playwright_python.base import AXE_SCRIPT

    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    for frame in page.frames:
        frame.evaluate(AXE_SCRIPT)
    found = page.evaluate("options => axe.run(document, options)", {"resultTypes": ["violations"]})
    for rule in found["violations"]:
        print(page.url, rule["id"], [node["html"][:150] for node in rule["nodes"]])
    return {rule["id"]: len(rule["nodes"]) for rule in found["violations"]}


def picture(page: Any, name: str) -> None:
    """Keep a picture of the page, when the documentation is being made."""
    if folder := os.environ.get("PACKMAIRIE_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/webmail-{name}.png")


@pytest.mark.parametrize("width", [375, 1280])
def test_accessibility_page_by_page(browser: Any, agent: Mailbox, commune: Commune, pack: Pack, width: int) -> None:
    url = f"https://{pack.file.plateforme.host_name('webmail')}/"
    page = visitor(browser, width)
    page.goto(url)
    found = {"connexion": violations(page)}
    suffix = "" if width > 1000 else "-375"
    picture(page, f"connexion{suffix}")
    log_in(page, url, agent)
    message = wait_for_message(page, url, SUBJECT)
    found["réception"] = violations(page)
    assert page.locator("#mailboxlist a", has_text="contact").count() == 1
    picture(page, f"reception{suffix}")
    addresses = {
        "lecture": message,
        "rédaction": f"{url}?_task=mail&_action=compose",
        "paramètres": f"{url}?_task=settings",
        "filtres": f"{url}?_task=settings&_action=plugin.managesieve",
        "absence": f"{url}?_task=settings&_action=plugin.managesieve-vacation",
        "identités": f"{url}?_task=settings&_action=identities",
        "contacts": f"{url}?_task=addressbook",
    }
    if width < 1000:
        # The other pages are made of the same panes.
        addresses = dict(list(addresses.items())[:3])
    for name, address in addresses.items():
        page.goto(address)
        found[name] = violations(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        picture(page, f"{name.translate(str.maketrans('éè', 'ee'))}{suffix}")
    assert {name: rules for name, rules in found.items() if rules} == KNOWN
    assert "maximum-scale" not in page.content()
    page.context.close()


def reach(page: Any, selector: str) -> None:
    """Press Tab until what is focused matches, and see that it shows."""
    for _number in range(TABS):
        page.keyboard.press("Tab")
        if page.evaluate(f"{FOCUSED} !== null && {FOCUSED}.matches({selector!r})"):
            outline = page.evaluate(f"(s => [s.outlineStyle, s.boxShadow, s.borderColor])(getComputedStyle({FOCUSED}))")
            assert outline[0] != "none" or outline[1] != "none", (selector, outline)
            return
    raise AssertionError(f"{selector} is not reached in {TABS} tabs")


def test_log_in_read_and_answer_without_a_mouse(browser: Any, agent: Mailbox, pack: Pack) -> None:
    url = f"https://{pack.file.plateforme.host_name('webmail')}/"
    page = visitor(browser, 1280)
    page.goto(url)
    assert page.evaluate(f"{FOCUSED}.id") == "rcmloginuser"
    page.keyboard.type(agent.address)
    page.keyboard.press("Tab")
    page.keyboard.type(agent.password)
    page.keyboard.press("Enter")
    page.wait_for_url("**_task=mail**")
    wait_for_message(page, url, SUBJECT)
    reach(page, "#messagelist *, #messagelist")
    page.keyboard.press("Enter")
    assert "24 décembre" in page.frame_locator("#messagecontframe").locator("#messagebody").inner_text()
    reach(page, "a.reply")
    page.keyboard.press("Enter")
    page.wait_for_url("**_action=compose**")
    page.wait_for_function(f"{FOCUSED}.id === 'composebody'")
    page.keyboard.type("Bonjour, la mairie sera ouverte le matin.")
    reach(page, "button.send")
    page.keyboard.press("Enter")
    page.wait_for_url("**_task=mail&_mbox=**")
    answer = wait_for_message(page, url, f"Re: {SUBJECT}")
    page.goto(answer)
    assert "ouverte le matin" in page.locator("#messagebody").inner_text()
    page.context.close()
