# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a workstation: ask Firefox or Thunderbird itself what it does, by Mozilla's remote protocol (Marionette).

Given a program and a script in hexadecimal, print ``REPONSE`` and, in JSON, the language that the program speaks and
what the script returned. A fresh profile each time, nothing shown (headless), the program ended by its process id.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time

PORT = 2828
SECONDS = 180
"""What a first start may take on a busy machine whose disk has not read the program yet."""


def receive(link):
    """Return one message: its length, a colon, JSON."""
    head = b""
    while not head.endswith(b":"):
        piece = link.recv(1)
        if not piece:
            raise SystemExit("the program went away")
        head += piece
    body = b""
    while len(body) < int(head[:-1]):
        body += link.recv(int(head[:-1]) - len(body))
    return json.loads(body)


def ask(link, number, command, parameters):
    """Send a command and return its result; stop with the program's own error."""
    message = json.dumps([0, number, command, parameters])
    link.sendall(f"{len(message)}:{message}".encode())
    _kind, _number, error, result = receive(link)
    if error:
        raise SystemExit(f"{command}: {error}")
    return result


def connect():
    """Return the link, once the program listens."""
    for _ in range(SECONDS):
        try:
            return socket.create_connection(("127.0.0.1", PORT), 5)
        except OSError:
            time.sleep(1)
    raise SystemExit("the program does not listen")


def main():
    """Start the program, ask, end it."""
    script = bytes.fromhex(sys.argv[2]).decode()
    with tempfile.TemporaryDirectory() as profile:
        program = subprocess.Popen(
            [
                sys.argv[1],
                "--headless",
                "--marionette",
                "--remote-allow-system-access",
                "--no-remote",
                "--profile",
                profile,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            link = connect()
            link.settimeout(SECONDS)
            receive(link)
            # The home page is not waited for: this workstation reaches no web server.
            ask(link, 1, "WebDriver:NewSession", {"capabilities": {"alwaysMatch": {"pageLoadStrategy": "none"}}})
            ask(link, 2, "Marionette:SetContext", {"value": "chrome"})
            whole = f"return [Services.locale.appLocaleAsBCP47, (() => {{{script}}})()]"
            answer = ask(link, 3, "WebDriver:ExecuteScript", {"script": whole, "args": []})
            print("REPONSE", json.dumps(answer["value"]))
        finally:
            program.terminate()
            try:
                program.wait(15)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait(5)


if __name__ == "__main__":
    main()
