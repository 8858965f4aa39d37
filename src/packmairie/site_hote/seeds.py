# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts and documents that the pack has for a commune, put once into the folder of its secretary.

Each file is given once, by its name: what the secretary changed, removed or already had is never touched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from packmairie.site_mairie.content import DOCUMENTS, MAX_PDF, MAX_TEXT
from packmairie.site_mairie.files import RefusedError, names_in, opened_folder, read_bounded
from packmairie.site_mairie.versions import MAX_FILES, Store, VersionsError

from .places import Places


def seed(places: Places, insee: str, now: datetime) -> int:
    """Put into a commune's folder the files of the pack that it was never given, and return how many that is.

    A folder that cannot be written is told, and tried again at the next run. Raise OSError when the pack's own files
    cannot be read.
    """
    source = places.initial / insee
    if not source.is_dir():
        return 0
    files = dict(_files(source))
    try:
        folder = places.contents / insee
        folder.mkdir(mode=0o755, exist_ok=True)
        return len(Store(folder).give(files, now))
    except (OSError, VersionsError, RefusedError) as error:
        sys.stderr.write(f"{insee} le contenu initial n'a pas pu être déposé : {error}\n")
        return 0


def _files(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield the path of each file below a folder, one level deep as the generator reads it, and how to read it."""
    with opened_folder(source) as root:
        for name in names_in(root, MAX_FILES)[0]:
            if not (source / name).is_dir():
                yield name, _reader(source, name)
                continue
            with opened_folder(name, root) as folder:
                for inner in names_in(folder, MAX_FILES)[0]:
                    yield f"{name}/{inner}", _reader(source / name, inner)


def _reader(folder: Path, name: str) -> Callable[[], bytes]:
    limit = MAX_PDF if folder.name == DOCUMENTS else MAX_TEXT

    def read() -> bytes:
        with opened_folder(folder) as opened:
            return read_bounded(opened, name, limit)

    return read
