# SPDX-License-Identifier: GPL-3.0-or-later
"""The web as a visitor meets it: redirects, a home page with what it loads, forms; names by the pack's resolvers."""

from __future__ import annotations

import ssl
import zlib
from functools import lru_cache
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import Request

import httpx

from packmairie.engines.connections import PORTS, Connections, Front, Patience, SlowError
from packmairie.engines.names import Names
from packmairie.engines.replies import Reply, ReplyError, page_of
from packmairie.engines.transport import CONNECT_SECONDS, trust
from packmairie.model.probe import (
    Absent,
    Answer,
    Chain,
    DnsQuery,
    Found,
    Hop,
    HttpChain,
    HttpGet,
    HttpPost,
    Obstacle,
    Page,
    SiteVisit,
    Unanswered,
    Visit,
)

TIMEOUT_SECONDS = 10.0
"""As the State's checker waits (RPNT 1.3)."""
PAGE_SECONDS = 20.0
"""For one page that is fetched alone."""
MAX_REDIRECTS = 5
MAX_LINKS = 60
MAX_RESOURCES = 40
URLS = 512
"""Addresses that were read lately: those of a page are read once to be joined and once to be asked."""
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) packmairie"


class WebFailure(Exception):  # noqa: N818 — an answer that is not a page, not always a fault
    """A request got no page: ``obstacle`` is what the world opposed, None when nothing is known."""

    def __init__(self, reason: str, obstacle: Obstacle | None = None, *, no_name: bool = False) -> None:
        super().__init__(reason)
        self.obstacle = obstacle
        self.no_name = no_name


class Session:
    """Requests of one visitor, who keeps his cookies; redirects are never followed by themselves."""

    def __init__(self, connections: Connections, names: Names, patience: Patience) -> None:
        self.connections = connections
        self.names = names
        self.patience = patience
        self._cookies = CookieJar()
        self._addresses: dict[str, str] = {}

    def request(self, method: str, url: str, *, data: dict[str, str] | None = None, body: Page | None = None) -> Page:
        """Send one request, a form or a body with it, and return its page. Raise WebFailure."""
        parsed = _url(url)
        headers = {"Host": parsed.netloc.decode("ascii"), "User-Agent": USER_AGENT, "Accept": "*/*"}
        content: bytes | None = None
        if data is not None:
            content = urlencode(data).encode("ascii")
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if body is not None:
            content = body.body.encode()
            headers |= body.headers
        name = parsed.raw_host.decode("ascii")
        front = Front(parsed.scheme, name, self._address(name), parsed.port or PORTS[parsed.scheme])
        if len(self._cookies):
            headers |= self._kept_for(url)
        try:
            reply = self.connections.exchange(
                front, method, parsed.raw_path.decode("ascii"), headers, content, patience=self.patience
            )
            page = page_of(reply)
        except (OSError, ReplyError, zlib.error) as error:
            raise _failure(parsed.host, error, self.patience) from None
        if "set-cookie" in page.headers:
            # An answer, as far as the library asks it anything.
            self._cookies.extract_cookies(_Told(reply), _visited(url))  # type: ignore[arg-type]
        return page

    def _kept_for(self, url: str) -> dict[str, str]:
        """Return the header by which what an address gave is given back."""
        visited = _visited(url)
        self._cookies.add_cookie_header(visited)
        return dict(visited.header_items())

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


@lru_cache(maxsize=URLS)
def _url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise WebFailure(f"adresse illisible : {text[:100]} ({error})", Obstacle.ADDRESS) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise WebFailure(f"adresse inutilisable : {text[:100]}", Obstacle.ADDRESS)
    return url


def _visited(url: str) -> Request:
    return Request(url)  # noqa: S310 — what cookies are asked for, never opened


def _failure(host: str, error: Exception, patience: Patience) -> WebFailure:
    if isinstance(error, SlowError):
        return WebFailure(f"{host} n'a pas fini de répondre en {patience.whole:.0f} s")
    if isinstance(error, TimeoutError):
        return WebFailure(f"{host} n'a pas répondu en {patience.silence:.0f} s")
    if isinstance(error, ssl.SSLCertVerificationError):
        return WebFailure(f"{host} : certificat refusé ({error.verify_message})", Obstacle.CERTIFICATE)
    if isinstance(error, ssl.SSLError) and "alert" in str(error).lower():
        return WebFailure(f"{host} : certificat refusé ({error.reason})", Obstacle.CERTIFICATE)
    if isinstance(error, ConnectionRefusedError):
        return WebFailure(f"{host} refuse la connexion", Obstacle.REFUSED)
    return WebFailure(f"{host} : {str(error) or error.__class__.__name__}")


class _Told:
    """What the cookie jar asks of an answer, and of its headers."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def info(self) -> _Told:
        return self

    def get_all(self, name: str, default: list[str]) -> list[str]:
        return [value for told, value in self._reply.headers if told.lower() == name.lower()] or default


class Web:
    """HTTP probes. Each visitor has cookies of his own; connections serve all of them."""

    def __init__(self, names: Names, extra_root: str | None = None, connections: Connections | None = None) -> None:
        self.names = names
        self.connections = connections or Connections(trust(extra_root))

    def visitor(self) -> Session:
        """Return the session of a new visitor."""
        return Session(self.connections, self.names, Patience(TIMEOUT_SECONDS, TIMEOUT_SECONDS))

    def fetch(self, probe: HttpGet) -> Answer:
        """Fetch one page, redirects not followed."""
        try:
            session = Session(self.connections, self.names, Patience(CONNECT_SECONDS, PAGE_SECONDS))
            return Found(session.request("GET", probe.url))
        except WebFailure as failure:
            return Absent(str(failure)) if failure.obstacle else Unanswered(str(failure))

    def follow(self, probe: HttpChain) -> Answer:
        """Follow redirects up to a page, to an obstacle, or to silence."""
        hops: list[Hop] = []
        url = probe.url
        session = self.visitor()
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
        session = self.visitor()
        try:
            sent = Page(0, {"Content-Type": probe.content_type}, probe.body)
            return Found(session.request("POST", probe.url, body=sent))
        except WebFailure as failure:
            return _answer(failure)

    def visit(self, probe: SiteVisit) -> Answer:
        """Fetch a home page, what it loads, and what it links to on its own host."""
        session = self.visitor()
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
                internal.append(url.copy_with(fragment=None) if url.fragment else url)
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
