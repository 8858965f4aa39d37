# SPDX-License-Identifier: GPL-3.0-or-later
"""gunicorn, started from our own command with settings that keep nothing about visitors."""

from __future__ import annotations

import sys
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from gunicorn.app.base import BaseApplication

from packmairie.portail.projet.wsgi import application

THREADS = 8
SETTINGS: dict[str, Any] = {
    "threads": THREADS,
    "worker_class": "gthread",
    "timeout": 60,
    # Longer than a form takes to be sent after its page: a connection closed meanwhile would lose the deposit's answer.
    "keepalive": 75,
    "graceful_timeout": 20,
    "accesslog": None,
    "errorlog": "-",
    "loglevel": "warning",
    "limit_request_line": 2048,
    "limit_request_fields": 60,
    "proc_name": "packmairie-portail",
    "control_socket_disable": True,
}


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn is untyped
    """gunicorn without a configuration file: bound where it is told, with ``SETTINGS``."""

    def __init__(self, bind: str, workers: int) -> None:
        self._bind, self._workers = bind, workers
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn must know."""
        for name, value in {**SETTINGS, "bind": self._bind, "workers": self._workers}.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> WSGIHandler:
        """Return the application."""
        return application


def run(bind: str, workers: int) -> None:
    """Given an address (``127.0.0.1:8000``, ``unix:/run/…``), serve until interrupted."""
    Server(bind, workers).run()


if __name__ == "__main__":
    # On a host systemd holds the socket (LISTEN_FDS), so that nobody is refused while the service starts again.
    run("127.0.0.1:8765", int(sys.argv[1]))
