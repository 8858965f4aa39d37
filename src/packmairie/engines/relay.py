# SPDX-License-Identifier: GPL-3.0-or-later
"""An HTTP CONNECT relay on the loopback, for clients that cannot be told which resolvers to ask.

boto3 resolves names as the machine does; where the pack names its resolvers (a private zone, the lab), its requests go
through this relay, which asks them. TLS stays between the client and the service.
"""

from __future__ import annotations

import selectors
import socket
import threading
from types import TracebackType
from typing import Self

from packmairie.engines.names import Names

CONNECT_SECONDS = 8.0
IDLE_SECONDS = 300.0
CHUNK = 256 * 1024


class Relay:
    """Serves CONNECT to one host only, from its start to its end."""

    def __init__(self, names: Names, host: str, port: int) -> None:
        self._names, self._host, self._port = names, host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address to give to a client as its proxy."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop accepting; connections under way end by themselves."""
        # Closing alone leaves the thread that waits in accept() there for ever.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            client.settimeout(CONNECT_SECONDS)
            try:
                head = b""
                while b"\r\n\r\n" not in head and len(head) < 8192:
                    piece = client.recv(4096)
                    if not piece:
                        return
                    head += piece
                if not head.startswith(f"CONNECT {self._host}:{self._port} ".encode()):
                    client.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")
                    return
                service = self._connect()
            except OSError:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with service:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                splice(client, service)

    def _connect(self) -> socket.socket:
        last: OSError = OSError("aucune adresse")
        for address in self._names.addresses(self._host):
            try:
                return socket.create_connection((address, self._port), CONNECT_SECONDS)
            except OSError as error:
                last = error
        raise last


def splice(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes between two sockets both ways, until one closes or nothing has passed for a while."""
    for end in (one, other):
        end.settimeout(IDLE_SECONDS)
        # What is carried is whole messages already: waiting for more to carry with them costs 40 ms each time.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # Not select(): a process that asks a whole territory has more files open than it can name.
    with selectors.DefaultSelector() as ready:
        ready.register(one, selectors.EVENT_READ, (one, other))
        ready.register(other, selectors.EVENT_READ, (other, one))
        while found := ready.select(IDLE_SECONDS):
            for key, _events in found:
                source, sink = key.data
                try:
                    data = source.recv(CHUNK)
                    if not data:
                        return
                    sink.sendall(data)
                except OSError:
                    return
