# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask each probe of the engine that knows how. A new kind of probe is one line in :data:`ASKERS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from packmairie.briques.catalogue import CATALOGUE
from packmairie.engines.connections import Connections
from packmairie.engines.files import read_files_host, round_trip
from packmairie.engines.hosts import read_host
from packmairie.engines.mail import Account, MailProver
from packmairie.engines.names import Names
from packmairie.engines.portal import read_portal
from packmairie.engines.s3 import Store
from packmairie.engines.transport import Transport, trust
from packmairie.engines.web import Web
from packmairie.engines.webmail import visit_webmail
from packmairie.inventory.contracts import read_register, register_of
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.probe import (
    Answer,
    CertificateFile,
    DnsQuery,
    Found,
    HostReading,
    HttpChain,
    HttpGet,
    HttpPost,
    MailRoundTrip,
    MxLocation,
    Probe,
    RegisterReading,
    SiteVisit,
    SpfReview,
    SpoolReading,
    TlsHandshake,
    Unanswered,
    WebmailVisit,
)
from packmairie.model.probes_envois import RoundsReading, WatchReading
from packmairie.model.probes_partage import FileRoundTrip, FilesHostReading
from packmairie.model.probes_portail import PortalReading
from packmairie.model.probes_postes import PosteReading, PullReading
from packmairie.model.probes_sauvegarde import BackupReading, StoreTrial
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.envois import read_certificate, read_rounds, read_spool, read_watch
from packmairie.operations.postes_inventory import ask_poste, ask_pull
from packmairie.operations.sauvegarde_store import maintenance_key, read_backups, store_asked_by, try_store

WITNESS_SECRET = "temoin.mot_de_passe"  # noqa: S105 — the name of a secret


class Prober:
    """Holds what the engines need for one run; shared by its threads."""

    def __init__(self, pack: Pack, vault: Vault) -> None:
        self.pack = pack
        self.vault = vault
        self.names = Names([str(address) for address in pack.file.resolveurs], pack.file.geoip, remembering=True)
        self.connections = Connections(trust(pack.file.acme.racine))
        self.transport = Transport(self.names, pack.file.acme.racine, self.connections)
        self.web = Web(self.names, pack.file.acme.racine, self.connections)
        self.mail = MailProver(self.transport, witness_account(pack, vault), pack.file.plateforme.host_name("mail"))
        self.units = tuple(dict.fromkeys(unit for brique in CATALOGUE for unit in brique.units))
        self._opened, self._opening = ExitStack(), Lock()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        self.connections.end()

    def store(self) -> Store:
        """Return the pack's store, opened once with the maintenance key. Raise PackmairieError when it cannot be."""
        with self._opening:
            if self._store is None:
                key = maintenance_key(self.vault)
                asked = store_asked_by(self.connections, self.names, self.pack, key)
                self._store = self._opened.enter_context(asked)
            return self._store

    def look_ahead(self, probes: Iterable[Probe]) -> None:
        """Ask the DNS at once for all that these probes are known to need of it; each asks for what did not come."""
        # A saving that fails must not leave probes without an answer.
        with suppress(Exception):
            self.names.ask_ahead(question for probe in probes for question in questions_of(probe))

    def ask(self, probe: Probe) -> Answer:
        """Return the world's answer; whatever goes wrong in asking is an absence of answer, never a verdict."""
        try:
            return ASKERS[type(probe)](self, probe)
        except PackmairieError as error:
            return Unanswered(str(error))
        except Exception as error:  # noqa: BLE001 — a probe that breaks must not hide the others, nor pass for a result
            return Unanswered(f"vérification impossible ({error.__class__.__name__} : {error})")

    def password(self, commune: str, secret: str) -> str | None:
        """Return the password of an account of a commune from its vault, None when the vault lacks it."""
        kept = self.vault.read(commune).get(secret)
        return kept["mot_de_passe"] if isinstance(kept, dict) else None


ASKERS: dict[type[Probe], Callable[[Prober, Any], Answer]] = {
    DnsQuery: lambda prober, probe: prober.names.ask(probe),
    SpfReview: lambda prober, probe: prober.names.review_sender_policy(probe),
    MxLocation: lambda prober, probe: prober.names.locate_exchange(probe),
    TlsHandshake: lambda prober, probe: prober.transport.handshake(probe),
    HttpGet: lambda prober, probe: prober.web.fetch(probe),
    HttpChain: lambda prober, probe: prober.web.follow(probe),
    HttpPost: lambda prober, probe: prober.web.post(probe),
    SiteVisit: lambda prober, probe: prober.web.visit(probe),
    WebmailVisit: lambda prober, probe: visit_webmail(prober.web, probe, prober.password(probe.commune, probe.secret)),
    HostReading: lambda prober, probe: read_host(
        probe.host, prober.pack.file.plateforme.hotes[probe.host], prober.units
    ),
    PosteReading: lambda prober, probe: ask_poste(prober.pack, probe.commune, probe.poste),
    PullReading: lambda prober, probe: ask_pull(prober.pack, probe.poste),
    BackupReading: lambda prober, probe: read_backups(prober.store(), prober.vault, probe),
    StoreTrial: lambda prober, probe: try_store(prober.store(), probe, datetime.now(UTC)),
    FileRoundTrip: lambda prober, probe: round_trip(prober.web, probe, prober.password(probe.commune, probe.secret)),
    FilesHostReading: lambda prober, probe: read_files_host(probe, prober.pack.file.plateforme.hotes[probe.host]),
    PortalReading: lambda prober, probe: read_portal(probe, prober.pack.file.plateforme.hotes[probe.host]),
    CertificateFile: lambda prober, probe: read_certificate(Path(prober.pack.folder) / probe.path),
    RegisterReading: lambda prober, probe: Found(
        read_register(register_of(Path(prober.pack.folder), probe.commune), Path(prober.pack.folder))
    ),
    SpoolReading: lambda prober, probe: read_spool(prober.pack, probe.brique, probe.commune),
    RoundsReading: lambda prober, probe: read_rounds(prober.pack, probe),
    WatchReading: lambda prober, probe: read_watch(prober.pack, probe),
    MailRoundTrip: lambda prober, probe: prober.mail.round_trip(probe, prober.password(probe.commune, probe.secret)),
}
"""How each kind of probe is asked."""


def questions_of(probe: Probe) -> tuple[DnsQuery, ...]:
    """Return what a probe asks of the DNS, as far as is known before it is asked."""
    if isinstance(probe, DnsQuery):
        return (probe,)
    if isinstance(probe, TlsHandshake):
        return (DnsQuery(probe.host, "A"),)
    if isinstance(probe, HttpGet | HttpChain | HttpPost | SiteVisit | WebmailVisit | FileRoundTrip):
        host = urlsplit(probe.url).hostname
        return (DnsQuery(host, "A"),) if host else ()
    return ()


def witness_account(pack: Pack, vault: Vault) -> Account | None:
    """Return the outside mailbox of the pack, its password read from its file or from the platform's vault.

    Raise PackmairieError when the password is nowhere: better said before the run than by each commune.
    """
    witness = pack.file.temoin
    if witness is None:
        return None
    if witness.mot_de_passe_fichier:
        try:
            password = Path(witness.mot_de_passe_fichier).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise fail(
                "pack.yml", f"temoin.mot_de_passe_fichier illisible ({error.strerror})", "indiquer le bon fichier"
            ) from error
    else:
        kept = vault.read(PLATEFORME).get(WITNESS_SECRET)
        if not isinstance(kept, str):
            raise fail(
                "secrets/plateforme.yml",
                f"le mot de passe de la boîte témoin manque ({WITNESS_SECRET})",
                "l'ajouter avec « ansible-vault edit »",
            )
        password = kept
    return Account(witness.adresse, password, witness.imap, witness.soumission)
