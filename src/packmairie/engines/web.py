# SPDX-License-Identifier: GPL-3.0-or-later
"""The web as a visitor meets it: redirects, a home page with what it loads, forms; names by the pack's resolvers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import httpx

from packmairie.engines.connections import Connections
from packmairie.engines.names import Names
from packmairie.engines.transport import PAGE_LIMIT, trust
from packmairie.model.probe import (
    Absent,
    Answer,
    Chain,
    DnsQuery,
    Found,
    Hop,
    HttpChain,
    HttpPost,
    Obstacle,
    Page,
    SiteVisit,
    Unanswered,
    Visit,
)

TIMEOUT_SECONDS = 10.0
"""As the State's checker waits (RPNT 1.3)."""
MAX_REDIRECTS = 5
MAX_LINKS = 60
MAX_RESOURCES = 40
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) packmairie"


class WebFailure(Exception):  # noqa: N818 — an answer that is not a page, not always a fault
    """A request got no page: ``obstacle`` is what the world opposed, None when nothing is known."""

    def __init__(self, reason: str, obstacle: Obstacle | None = None, *, no_name: bool = False) -> None:
        super().__init__(reason)
        self.obstacle = obstacle
        self.no_name = no_name


class Session:
    """Requests of one visitor, who keeps his cookies; redirects are never followed by themselves."""

    def __init__(self, client: httpx.Client, names: Names) -> None:
        self.client = client
        self.names = names
        self._addresses: dict[str, str] = {}

    def request(self, method: str, url: str, *, data: dict[str, str] | None = None, body: Page | None = None) -> Page:
        """Send one request and return its page. Raise WebFailure."""
        parsed = _url(url)
        content, headers = None, {"Host": parsed.netloc.decode("ascii"), "User-Agent": USER_AGENT}
        if body is not None:
            content = body.body.encode()
            headers |= body.headers
        target = parsed.copy_with(host=self._address(parsed.host))
        extensions = {"sni_hostname": parsed.host}
        try:
            with self.client.stream(
                method, target, headers=headers, data=data, content=content, extensions=extensions
            ) as reply:
                read, deadline = b"", time.monotonic() + TIMEOUT_SECONDS
                for chunk in reply.iter_bytes():
                    read += chunk
                    if time.monotonic() > deadline:
                        raise WebFailure(f"{parsed.host} n'a pas fini de répondre en {TIMEOUT_SECONDS:.0f} s")
                    if len(read) > PAGE_LIMIT:
                        break
                return Page(reply.status_code, dict(reply.headers), read.decode("utf-8", "replace"))
        except httpx.TimeoutException:
            raise WebFailure(f"{parsed.host} n'a pas répondu en {TIMEOUT_SECONDS:.0f} s") from None
        except httpx.HTTPError as error:
            raise _failure(parsed.host, error) from None

    def _address(self, host: str) -> str:
        if found := self._addresses.get(host):
            return found
        self._addresses[host] = found = self._resolve(host)
        return found

    def _resolve(self, host: str) -> str:
        known: str | None = None
        for type_ in ("A", "AAAA"):
            answer = self.names.ask(DnsQuery(host, type_))
            if isinstance(answer, Found):
                return str(answer.value.values[0])
            if isinstance(answer, Unanswered):
                known = answer.reason
        if known:
            raise WebFailure(known)
        raise WebFailure(f"{host} n'a pas d'adresse dans le DNS", no_name=True)


def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise WebFailure(f"adresse illisible : {text[:100]} ({error})", Obstacle.ADDRESS) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise WebFailure(f"adresse inutilisable : {text[:100]}", Obstacle.ADDRESS)
    return url


def _failure(host: str, error: httpx.HTTPError) -> WebFailure:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said or "alert" in said.lower():
        return WebFailure(f"{host} : certificat refusé ({said})", Obstacle.CERTIFICATE)
    if "refused" in said.lower():
        return WebFailure(f"{host} refuse la connexion", Obstacle.REFUSED)
    return WebFailure(f"{host} : {said or error.__class__.__name__}")


class Web:
    """HTTP probes. Each visitor has a client of his own, hence cookies of his own; connections serve all of them."""

    def __init__(self, names: Names, extra_root: str | None = None, connections: Connections | None = None) -> None:
        self.names = names
        self.connections = connections or Connections(trust(extra_root))

    @contextmanager
    def visitor(self) -> Iterator[Session]:
        """Give a session that trusts the machine's roots and the pack's."""
        with httpx.Client(transport=self.connections, timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            yield Session(client, self.names)

    def follow(self, probe: HttpChain) -> Answer:
        """Follow redirects up to a page, to an obstacle, or to silence."""
        hops: list[Hop] = []
        url = probe.url
        with self.visitor() as session:
            while True:
                try:
                    page = session.request("GET", url)
                except WebFailure as failure:
                    if failure.no_name and not hops:
                        return Absent(str(failure))
                    if failure.no_name or failure.obstacle:
                        return Found(
                            Chain(tuple(hops), None, failure.obstacle or Obstacle.ADDRESS, str(failure), stopped_at=url)
                        )
                    return Unanswered(str(failure))
                hops.append(Hop(url, page.status))
                place = page.headers.get("location")
                if page.status not in (301, 302, 303, 307, 308) or not place:
                    return Found(Chain(tuple(hops), page))
                if len(hops) > MAX_REDIRECTS:
                    return Found(Chain(tuple(hops), None, Obstacle.LOOP, Obstacle.LOOP.value, stopped_at=url))
                try:
                    url = str(_url(str(_url(url).join(place))))
                except (WebFailure, httpx.InvalidURL) as failure:
                    return Found(Chain(tuple(hops), None, Obstacle.ADDRESS, str(failure), stopped_at=place[:200]))

    def post(self, probe: HttpPost) -> Answer:
        """Post a text and return the answer."""
        with self.visitor() as session:
            try:
                sent = Page(0, {"Content-Type": probe.content_type}, probe.body)
                return Found(session.request("POST", probe.url, body=sent))
            except WebFailure as failure:
                return _answer(failure)

    def visit(self, probe: SiteVisit) -> Answer:
        """Fetch a home page, what it loads, and what it links to on its own host."""
        with self.visitor() as session:
            try:
                page = session.request("GET", probe.url)
            except WebFailure as failure:
                return _answer(failure)
            read = Addresses.of(page.body)
            home = _url(probe.url)
            octets, foreign = len(page.body.encode()), []
            broken: dict[str, str] = {}
            own = []
            for place in list(dict.fromkeys(read.resources))[:MAX_RESOURCES]:
                url = _joined(home, place)
                if url is None or url.host != home.host:
                    foreign.append(place)
                    continue
                own.append(place)
                answered = _ask(session, url, broken)
                octets += len(answered.body.encode()) if answered else 0
            internal = []
            for place in dict.fromkeys(read.links):
                url = _joined(home, place)
                if url is not None and url.host == home.host and url.scheme == "https":
                    internal.append(url.copy_with(fragment=None))
            asked = list(dict.fromkeys(internal))[:MAX_LINKS]
            for url in asked:
                # The home page has answered already.
                if url != home or page.status != 200:
                    _ask(session, url, broken)
        return Found(Visit(page, octets, 1 + len(own), len(asked), broken, tuple(foreign)))


def _answer(failure: WebFailure) -> Answer:
    return Absent(str(failure)) if failure.obstacle or failure.no_name else Unanswered(str(failure))


def _joined(home: httpx.URL, place: str) -> httpx.URL | None:
    try:
        url = home.join(place)
    except (httpx.InvalidURL, ValueError):
        return None
    return url if url.scheme in ("http", "https") else None


def _ask(session: Session, url: httpx.URL, broken: dict[str, str]) -> Page | None:
    try:
        page = session.request("GET", str(url))
    except WebFailure as failure:
        broken[url.path] = str(failure)
        return None
    if page.status != 200:
        broken[url.path] = f"réponse {page.status}"
    return page


class Addresses(HTMLParser):
    """The addresses of a page: those that it loads, and those that it links to."""

    def __init__(self) -> None:
        super().__init__()
        self.resources: list[str] = []
        self.links: list[str] = []

    @classmethod
    def of(cls, text: str) -> Addresses:
        """Return the addresses of a page's text."""
        found = cls()
        found.feed(text)
        return found

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the address that a tag names."""
        values = {name: value or "" for name, value in attrs}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "link" and values.get("href"):
            loaded = {"stylesheet", "icon", "preload", "manifest"} & set(values.get("rel", "").lower().split())
            if loaded:
                self.resources.append(values["href"])
        elif tag in ("img", "script", "iframe", "source", "audio", "video", "embed") and values.get("src"):
            self.resources.append(values["src"])
