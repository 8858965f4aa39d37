# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask probes side by side: by threads of this process, and by more processes when there are many.

Python runs one thread at a time; a territory has tens of thousands of probes, each of which costs milliseconds of it.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import chain, groupby
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread

from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.probe import Answer, Probe, Unanswered
from packmairie.operations.probing import Prober

THREADS = 32
MANY = 2000
"""Past so many probes another process is worth its start, about a second."""
MOST_PROCESSES = 4
FEWEST_PROBES = 20
"""All checks of a commune have more probes than that."""
ENDED = "la vérification s'est arrêtée avant cette réponse"

Found = SimpleQueue[tuple[Probe, Answer]]
Batch = list[Probe]
"""Probes that one thread asks, one after the other."""


def ask_all(
    pack: Pack,
    folder: Path,
    probes: Mapping[Probe, str],
    on_progress: Callable[[int, int], None] | None = None,
    helpers: Sequence[Helper] = (),
) -> dict[Probe, Answer]:
    """Given probes in the order to ask them, each with its commune (or ``plateforme``), return every answer.

    ``helpers`` are processes that are ready already; those that lack are started.

    Those of one commune are asked by one process, which then opens its secrets once; where they are many, by one
    thread too, whose connections then serve all of them. A process that ends before its time leaves its probes without
    an answer. Raise PackmairieError when the pack lacks what asking needs.
    """
    shares = deal(probes, processes_for(len(probes)), together=len(probes) > MANY)
    threads = max(1, THREADS // len(shares))
    answers: dict[Probe, Answer] = {}
    found: Found = SimpleQueue()
    with Prober(pack, Vault(folder)) as prober, ExitStack() as started:
        for number, share in enumerate(shares[1:]):
            helper = helpers[number] if number < len(helpers) else started.enter_context(closing(Helper(folder)))
            helper.ask(share, threads, found)
        with _asking(prober, shares[0], threads, found):
            for done in range(1, len(probes) + 1):
                probe, answer = found.get()
                answers[probe] = answer
                if on_progress:
                    on_progress(done, len(probes))
    return answers


def processes_for(probes: int) -> int:
    """Return how many processes ask so many probes."""
    return max(1, min(len(os.sched_getaffinity(0)), MOST_PROCESSES, probes // (MANY // 2)) if probes > MANY else 1)


def deal(probes: Mapping[Probe, str], processes: int, *, together: bool) -> list[list[Batch]]:
    """Return the batches of each process, in order: those of the platform with the first, the communes in turn.

    ``together`` puts the probes of a commune that follow one another in one batch; else each probe is its own.
    """
    place = {PLATEFORME: 0}
    shares: list[list[tuple[Probe, str]]] = [[] for _number in range(processes)]
    for probe, commune in probes.items():
        shares[place.setdefault(commune, len(place) % processes)].append((probe, commune))
    if not together:
        return [[[probe] for probe, _commune in share] for share in shares]
    return [
        [[probe for probe, _commune in batch] for _commune, batch in groupby(share, key=lambda one: one[1])]
        for share in shares
    ]


@contextmanager
def _asking(prober: Prober, batches: Sequence[Batch], threads: int, found: Found) -> Iterator[None]:
    """Ask probes by threads while the block reads their answers."""
    pool = ThreadPoolExecutor(max_workers=threads)
    stopped = Event()
    try:
        for batch in batches:
            pool.submit(_put, prober, batch, found, stopped)
        yield
    except BaseException:
        # Who interrupts does not wait for what was not asked yet.
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _put(prober: Prober, batch: Batch, found: Found, stopped: Event) -> None:
    if len(batch) > 1:
        prober.look_ahead(batch)
    for probe in batch:
        if stopped.is_set():
            return
        found.put((probe, prober.ask(probe)))


class Helper:
    """Another process that asks probes, until it is closed; nothing secret passes between the two."""

    def __init__(self, folder: Path) -> None:
        """Start it; it loads the pack of this folder, and waits for what to ask."""
        self._pipe, theirs = Pipe()
        with theirs:
            words = [sys.executable, "-m", __name__, str(theirs.fileno())]
            self._process = subprocess.Popen(  # noqa: S603 — this very program
                words, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        self._reader: Thread | None = None
        with suppress(OSError):
            # One that has ended already is found out when it is to answer.
            self._pipe.send((folder, gc.get_threshold()))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()
        if self._reader:
            self._reader.join()
        self._pipe.close()

    def ask(self, batches: Sequence[Batch], threads: int, found: Found) -> None:
        """Have it ask batches by so many threads; answers come to ``found`` as they arrive."""
        self._reader = Thread(target=_read, args=(self._pipe, batches, threads, found), daemon=True)
        self._reader.start()


@contextmanager
def ready_helpers(folder: Path, communes: int) -> Iterator[Sequence[Helper]]:
    """Give the processes that all checks of so many communes will need, started: they load while checks are listed."""
    with ExitStack() as started:
        yield [
            started.enter_context(closing(Helper(folder)))
            for _number in range(processes_for(communes * FEWEST_PROBES) - 1)
        ]


def _read(pipe: Connection, batches: Sequence[Batch], threads: int, found: Found) -> None:
    probes = list(chain.from_iterable(batches))
    missing = dict.fromkeys(range(len(probes)))
    try:
        pipe.send((list(batches), threads))
        while missing:
            number, answer = pipe.recv()
            del missing[number]
            found.put((probes[number], answer))
    except (OSError, EOFError):
        for number in missing:
            found.put((probes[number], Unanswered(ENDED)))


def main(descriptor: int) -> int:
    """Ask, as another process, what the pipe of this descriptor tells; send each answer with its number."""
    found: Found = SimpleQueue()
    try:
        with Connection(descriptor) as pipe:
            folder, collecting = pipe.recv()
            # As seldom as the command that asks: each look for garbage goes through all of the pack.
            gc.set_threshold(*collecting)
            pack = load_pack(folder)
            batches, threads = pipe.recv()
            numbers = {probe: number for number, probe in enumerate(chain.from_iterable(batches))}
            with Prober(pack, Vault(folder)) as prober, _asking(prober, batches, threads, found):
                for _done in numbers:
                    probe, answer = found.get()
                    pipe.send((numbers[probe], answer))
    except (OSError, EOFError, KeyboardInterrupt):
        # Who asked is gone, or was interrupted: there is nobody to tell.
        os._exit(1)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
