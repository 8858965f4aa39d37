# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine that meets the web as a visitor: chains of redirects, a page's addresses, a webmail's steps."""

from __future__ import annotations

import pytest

from packmairie.engines import web as engine
from packmairie.engines.names import Names
from packmairie.engines.web import Addresses, Session, Web, WebFailure
from packmairie.engines.webmail import visit_webmail
from packmairie.model.probe import (
    Absent,
    Found,
    HttpChain,
    HttpPost,
    Obstacle,
    Page,
    SiteVisit,
    Unanswered,
    WebmailVisit,
)

LOGIN = WebmailVisit("https://webmail.example/", "62708", "sonde@essai.fr", "s")


@pytest.fixture
def world(monkeypatch):
    """A web made of a table: (method, address) → page or failure."""
    pages: dict[tuple[str, str], Page | WebFailure] = {}

    def request(_self, method, url, *, data=None, body=None):
        answer = pages.get((method, url)) or Page(404, {}, "")
        if isinstance(answer, WebFailure):
            raise answer
        return answer

    monkeypatch.setattr(Session, "request", request)
    return pages


@pytest.fixture
def web():
    return Web(Names(["192.0.2.53"]))


def moved(place: str, status: int = 301) -> Page:
    return Page(status, {"location": place}, "")


class TestChain:
    def test_redirects_are_followed_and_kept(self, world, web):
        world["GET", "http://a.fr"] = moved("https://a.fr/")
        world["GET", "https://a.fr/"] = moved("/accueil", 308)
        world["GET", "https://a.fr/accueil"] = Page(200, {}, "x")
        chain = web.follow(HttpChain("http://a.fr")).value
        assert [hop.status for hop in chain.hops] == [301, 308, 200]
        assert chain.page.body == "x"

    def test_five_redirects_and_not_one_more(self, world, web):
        for number in range(10):
            world["GET", f"https://a.fr/{number}"] = moved(f"/{number + 1}")
        world["GET", "https://a.fr/9"] = Page(200, {}, "")
        assert web.follow(HttpChain("https://a.fr/4")).value.page is not None
        chain = web.follow(HttpChain("https://a.fr/3")).value
        assert chain.obstacle is Obstacle.LOOP

    @pytest.mark.parametrize("place", ["javascript:alert(1)", "file:///etc/passwd"])
    def test_a_redirect_to_what_is_not_the_web(self, world, web, place):
        world["GET", "https://a.fr"] = moved(place)
        assert web.follow(HttpChain("https://a.fr")).value.obstacle is Obstacle.ADDRESS

    def test_an_obstacle_is_an_answer_silence_is_not(self, world, web):
        world["GET", "https://a.fr"] = WebFailure("refusé", Obstacle.CERTIFICATE)
        assert web.follow(HttpChain("https://a.fr")).value.obstacle is Obstacle.CERTIFICATE
        world["GET", "https://a.fr"] = WebFailure("rien")
        assert isinstance(web.follow(HttpChain("https://a.fr")), Unanswered)
        world["GET", "https://a.fr"] = WebFailure("pas de nom", no_name=True)
        assert isinstance(web.follow(HttpChain("https://a.fr")), Absent)

    def test_a_post(self, world, web):
        world["POST", "https://a.fr/x"] = Page(200, {}, "ok")
        assert web.post(HttpPost("https://a.fr/x", "corps")).value.body == "ok"
        world["POST", "https://a.fr/x"] = WebFailure("refusé", Obstacle.REFUSED)
        assert isinstance(web.post(HttpPost("https://a.fr/x", "corps")), Absent)


class TestVisit:
    HOME = (
        '<link rel="stylesheet" href="/s.css"><link rel="canonical" href="https://autre.fr/">'
        '<img src="https://cdn.example/i.png"><a href="/bon">b</a><a href="/bon#x">b</a><a href="mailto:a@b.fr">m</a>'
        '<a href="/casse">c</a><a href="https://ailleurs.fr/">e</a><script src="//x.example/y.js"></script>'
    )

    def test_what_it_loads_and_links_to(self):
        found = Addresses.of(self.HOME)
        assert found.resources == ["/s.css", "https://cdn.example/i.png", "//x.example/y.js"]
        assert found.links[0] == "/bon"

    def test_what_is_counted(self, world, web):
        world["GET", "https://a.fr/"] = Page(200, {}, self.HOME)
        world["GET", "https://a.fr/s.css"] = Page(200, {}, "x" * 100)
        world["GET", "https://a.fr/bon"] = Page(200, {}, "")
        visit = web.visit(SiteVisit("https://a.fr/")).value
        assert visit.octets == len(self.HOME) + 100
        assert visit.links == 2
        assert visit.broken == {"/casse": "réponse 404"}
        assert visit.foreign == ("https://cdn.example/i.png", "//x.example/y.js")

    def test_a_page_without_end_is_visited_in_bounds(self, world, web, monkeypatch):
        monkeypatch.setattr(engine, "MAX_LINKS", 3)
        world["GET", "https://a.fr/"] = Page(200, {}, "".join(f'<a href="/{n}">x</a>' for n in range(100)))
        assert len(web.visit(SiteVisit("https://a.fr/")).value.broken) == 3


class TestWebmail:
    def pages(self, world):
        form = Page(200, {}, '{"request_token":"abc123"}')
        world["GET", LOGIN.url] = form
        world["POST", f"{LOGIN.url}?_task=login"] = Page(302, {"location": "./?_task=mail"}, "")
        world["GET", f"{LOGIN.url}?_task=mail"] = Page(200, {}, '<title>Mairie</title>{"request_token":"def"}')
        inbox = f"{LOGIN.url}?_task=mail&_action=list&_mbox=INBOX&_remote=1&_token=def"
        world["GET", inbox] = Page(200, {}, '{"action":"list"}')
        world["GET", f"{LOGIN.url}?_task=logout&_token=def"] = Page(200, {}, "")
        return inbox

    def test_every_step(self, world, web):
        self.pages(world)
        session = visit_webmail(web, LOGIN, "p").value
        assert (session.failed, session.title) == ("", "Mairie")
        assert list(session.steps) == ["page", "connexion", "réception", "déconnexion"]

    def test_a_step_that_fails_is_named(self, world, web):
        inbox = self.pages(world)
        world["GET", inbox] = Page(200, {}, '{"action":"refus"}')
        assert visit_webmail(web, LOGIN, "p").value.failed == "réception"
        world["POST", f"{LOGIN.url}?_task=login"] = Page(401, {}, "")
        assert visit_webmail(web, LOGIN, "p").value.failed == "connexion"
        world["GET", LOGIN.url] = Page(502, {}, "")
        assert visit_webmail(web, LOGIN, "p").value.failed == "page"

    def test_silence_and_a_missing_password(self, world, web):
        world["GET", LOGIN.url] = WebFailure("rien")
        assert isinstance(visit_webmail(web, LOGIN, "p"), Unanswered)
        assert isinstance(visit_webmail(web, LOGIN, None), Unanswered)

    def test_the_password_is_in_no_answer(self, world, web):
        self.pages(world)
        assert "secret-p" not in repr(visit_webmail(web, LOGIN, "secret-p"))
        assert isinstance(visit_webmail(web, LOGIN, "secret-p"), Found)
