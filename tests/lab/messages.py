# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered messages from the outside world: each one that was accepted must be found afterwards."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from packmairie.lab import Lab

PLATFORM = "plateforme"
SENDER = r"""
import smtplib, sys, time
host, recipient, tag, count, pause, seconds = *sys.argv[1:4], int(sys.argv[4]), float(sys.argv[5]), float(sys.argv[6])
client, number, deadline = None, 0, time.monotonic() + seconds
while number < count and time.monotonic() < deadline:
    text = (
        f"From: temoin@ailleurs.example\r\nTo: {recipient}\r\nSubject: {tag}-{number}-fin\r\n"
        f"Message-ID: <{tag}-{number}@ailleurs.example>\r\n"
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\n\r\nMessage {number}.\r\n"
    )
    try:
        if client is None:
            client = smtplib.SMTP(host, 25, local_hostname="mail.ailleurs.example", timeout=30)
        client.sendmail("temoin@ailleurs.example", [recipient], text)
    except (smtplib.SMTPException, OSError):
        client = None
        time.sleep(1)
        continue
    print(number, flush=True)
    number += 1
    time.sleep(pause)
"""


@contextmanager
def numbered(lab: Lab, count: int, pause: float, seconds: float, domain: str) -> Iterator[list[str]]:
    """Send numbered messages from the outside world while the block works; each one must be found afterwards."""
    tag = f"n{random.SystemRandom().randrange(10**9)}"
    address = str(lab.host(PLATFORM).address)
    arguments = [address, f"contact@{domain}", tag, str(count), str(pause), str(seconds)]
    accepted: list[str] = []

    def send() -> None:
        done = lab.run("monde", ["python3", "-c", SENDER, *arguments], timeout=seconds + 60)
        accepted.extend(done.stdout.split())

    thread = threading.Thread(target=send)
    thread.start()
    yield accepted
    thread.join()
    assert len(accepted) == count
    search = f"grep -rhoaE '^Subject: {tag}-[0-9]+-fin' /var/vmail/{domain} | sort -u"
    deadline = time.monotonic() + 300
    missing = set(accepted)
    while missing and time.monotonic() < deadline:
        time.sleep(2)
        found = lab.run(PLATFORM, ["sh", "-c", search], timeout=120).stdout
        missing = set(accepted) - set(re.findall(rf"{tag}-([0-9]+)-fin", found))
    print(f"{len(accepted)} messages accepted with a 250, {len(missing)} lost")
    assert not missing, sorted(missing)[:20]
