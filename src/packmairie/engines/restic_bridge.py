# SPDX-License-Identifier: GPL-3.0-or-later
"""Show a repository of a bucket to restic, as it is or as it was at a past moment, through its REST protocol.

A restic on the technician's machine needs neither the store's keys nor a way to name versions: this server, on the
loopback and behind a password made for one run, does the requests (restic manual, « REST Backend », API version 2).
As of a moment, each object is the newest version that the store received no later: what was hidden, overwritten or
added since does not exist. That view is read only.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from packmairie.engines.s3 import ABSENT, Store, code_of

KINDS = ("data", "index", "keys", "locks", "snapshots")
NAME = re.compile(r"^[0-9a-f]{64}$")
LIST_TYPE = "application/vnd.x.restic.rest.v2"
CHUNK = 1 << 18


@dataclass(frozen=True)
class Version:
    """One object as it is seen: its size in bytes and the version that holds it."""

    size: int
    version: str


def view_as_of(store: Store, bucket: str, prefix: str, moment: datetime) -> dict[str, Version]:
    """Return the objects under a prefix as they were at a moment (inclusive, by the store's clock), by key.

    Of two versions received in the same second, the one that the store lists first is the newer.
    """
    newest: dict[str, tuple[datetime, Version | None]] = {}
    for entry in store.versions(bucket, prefix):
        received = entry["LastModified"]
        known = newest.get(entry["Key"])
        if received > moment or (known is not None and not _newer(received, entry, known)):
            continue
        seen = None if entry["Marker"] else Version(int(entry["Size"]), str(entry["VersionId"]))
        newest[entry["Key"]] = (received, seen)
    return {key: seen for key, (_received, seen) in newest.items() if seen is not None}


def _newer(received: datetime, entry: dict[str, Any], known: tuple[datetime, Version | None]) -> bool:
    # A marker of the very second in which an object came can only have hidden it after.
    return received > known[0] or (received == known[0] and bool(entry["Marker"]))


class Repository:
    """The objects of one repository, now or as of a moment."""

    def __init__(
        self, store: Store, bucket: str, prefix: str, moment: datetime | None = None, *, writable: bool = False
    ) -> None:
        self.store, self.bucket, self.prefix = store, bucket, prefix
        self.view = view_as_of(store, bucket, f"{prefix}/", moment) if moment is not None else None
        self.writable = writable and moment is None
        self.missing: list[str] = []
        """The packs that restic asked for in vain."""

    def key(self, kind: str, name: str) -> str:
        """Return where restic's S3 layout keeps a file."""
        if kind == "config":
            return f"{self.prefix}/config"
        return f"{self.prefix}/data/{name[:2]}/{name}" if kind == "data" else f"{self.prefix}/{kind}/{name}"

    def names(self, kind: str) -> list[dict[str, Any]]:
        """Return the names and sizes of the files of a kind."""
        start = f"{self.prefix}/{kind}/"
        if self.view is not None:
            pairs: Iterator[tuple[str, int]] = (
                (key, seen.size) for key, seen in self.view.items() if key.startswith(start)
            )
        else:
            pairs = self._listed(start)
        found = [{"name": key.rsplit("/", 1)[-1], "size": size} for key, size in pairs]
        return [entry for entry in found if NAME.match(str(entry["name"]))]

    def _listed(self, start: str) -> Iterator[tuple[str, int]]:
        paginator = self.store.client.get_paginator("list_objects_v2")
        for page in paginator.paginate(Bucket=self.bucket, Prefix=start):
            for entry in page.get("Contents", ()):
                yield entry["Key"], int(entry["Size"])

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, None when there is none. Raise ClientError."""
        if self.view is not None:
            return self.view[key].size if key in self.view else None
        try:
            return int(self.store.client.head_object(Bucket=self.bucket, Key=key)["ContentLength"])
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise

    def read(self, key: str, span: str | None) -> dict[str, Any] | None:
        """Return the answer that holds an object's bytes (or a range of them), None when there is none."""
        asked = {"Bucket": self.bucket, "Key": key}
        if self.view is not None:
            if key not in self.view:
                return None
            asked["VersionId"] = self.view[key].version
        if span:
            asked["Range"] = span
        try:
            answer: dict[str, Any] = self.store.client.get_object(**asked)
        except ClientError as error:
            if code_of(error) in ABSENT:
                return None
            raise
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, repository: Repository, word: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repository = repository
        self.expected = "Basic " + base64.b64encode(f"packmairie:{word}".encode()).decode()


class _Handler(BaseHTTPRequestHandler):
    """One request of restic."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _place(self) -> tuple[str, str] | None:
        path = self.path.partition("?")[0].strip("/")
        if path == "config":
            return "config", ""
        kind, _slash, name = path.partition("/")
        if kind in KINDS and (not name or NAME.match(name)):
            return kind, name
        return ("", "") if not path else None

    def _answer(self, code: int, body: bytes = b"", kind: str = "application/octet-stream") -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve(self) -> None:
        if not secrets.compare_digest(self.headers.get("Authorization", ""), self.server.expected):
            self._answer(401)
            return
        place = self._place()
        if place is None:
            self._answer(404)
            return
        try:
            self._act(*place)
        except (ClientError, BotoCoreError) as error:
            self._answer(502, str(error).encode()[:500], "text/plain")

    def _act(self, kind: str, name: str) -> None:
        repository = self.server.repository
        if self.command in ("POST", "DELETE"):
            self._change(kind, name)
        elif kind != "config" and not name:
            self._answer(200, json.dumps(repository.names(kind)).encode(), LIST_TYPE)
        elif self.command == "HEAD":
            size = repository.size(repository.key(kind, name))
            self.send_response(404 if size is None else 200)
            self.send_header("Content-Length", str(size or 0))
            self.end_headers()
        else:
            answer = repository.read(repository.key(kind, name), self.headers.get("Range"))
            if answer is None and kind == "data":
                repository.missing.append(name)
            self._send(answer)

    def _send(self, answer: dict[str, Any] | None) -> None:
        if answer is None:
            self._answer(404)
            return
        self.send_response(206 if "ContentRange" in answer else 200)
        self.send_header("Content-Length", str(answer["ContentLength"]))
        if "ContentRange" in answer:
            self.send_header("Content-Range", answer["ContentRange"])
        self.end_headers()
        for piece in answer["Body"].iter_chunks(CHUNK):
            self.wfile.write(piece)

    def _change(self, kind: str, name: str) -> None:
        repository = self.server.repository
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) if self.command == "POST" else b""
        if repository.writable and not kind and self.command == "POST":
            # « init » asks first for the folders, which a bucket does not have.
            self._answer(200)
            return
        if not repository.writable or (kind != "config" and not name):
            self._answer(403)
            return
        key = repository.key(kind, name)
        if self.command == "POST":
            repository.store.client.put_object(Bucket=repository.bucket, Key=key, Body=body)
        else:
            # Without a version: the store hides the object, and keeps what it held.
            repository.store.client.delete_object(Bucket=repository.bucket, Key=key)
        self._answer(200)

    do_GET = do_HEAD = do_POST = do_DELETE = _serve  # noqa: N815 — the names that http.server calls


@contextmanager
def bridge(repository: Repository) -> Iterator[str]:
    """Serve a repository and give the address by which restic opens it, which only this run knows."""
    word = secrets.token_urlsafe(24)
    server = _Server(repository, word)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"rest:http://packmairie:{word}@127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
