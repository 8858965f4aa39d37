# SPDX-License-Identifier: GPL-3.0-or-later
"""``status``: every check of every commune, asked of the world now, in parallel, told in a stable order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from packmairie.briques.catalogue import CATALOGUE
from packmairie.briques.messagerie_checks import SERVICES
from packmairie.briques.presence_checks import WEB_SERVICES
from packmairie.engines.hosts import read_host
from packmairie.engines.mail import Account, MailProver
from packmairie.engines.names import Names
from packmairie.engines.transport import Transport
from packmairie.engines.web import Web
from packmairie.engines.webmail import visit_webmail
from packmairie.inventory.loader import load_pack
from packmairie.inventory.vault import Vault
from packmairie.model.change import PLATEFORME
from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve
from packmairie.model.probe import (
    Answer,
    Check,
    DnsQuery,
    HostReading,
    HttpChain,
    HttpGet,
    HttpPost,
    MailRoundTrip,
    MxLocation,
    Probe,
    SiteVisit,
    SpfReview,
    TlsHandshake,
    Unanswered,
    WebmailVisit,
)
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.desired import select

WORKERS = 32
WITNESS_SECRET = "temoin.mot_de_passe"  # noqa: S105 — the name of a secret


@dataclass(frozen=True)
class StatusResult:
    """The pack that was asked about, the communes chosen, and their preuves in order."""

    pack: Pack
    communes: tuple[str, ...]
    preuves: tuple[Preuve, ...]
    titles: dict[str, str]
    """The words that name each check to a mayor."""


def checks_of(pack: Pack, communes: Iterable[str]) -> list[tuple[str, Check]]:
    """Return (commune or ``plateforme``, check) in the order of the report: the platform first, then as in the pack.

    A brique that the commune has elsewhere is checked all the same: its own checks know what to leave out.
    """
    wanted = set(communes)
    found = [(PLATEFORME, check) for brique in CATALOGUE for check in brique.platform_checks(pack)]
    for commune in pack.communes:
        if commune.insee in wanted:
            found += [(commune.insee, check) for brique in CATALOGUE for check in brique.checks(commune, pack)]
    return found


class Prober:
    """Asks each probe of the engine that knows how; one per run, shared by its threads."""

    def __init__(self, pack: Pack, vault: Vault) -> None:
        self.pack = pack
        self.vault = vault
        self.names = Names([str(address) for address in pack.file.resolveurs], pack.file.geoip)
        self.transport = Transport(self.names, pack.file.acme.racine)
        self.web = Web(self.names, pack.file.acme.racine)
        self.mail = MailProver(self.transport, witness_account(pack, vault), pack.file.plateforme.host_name("mail"))

    def ask(self, probe: Probe) -> Answer:
        """Return the world's answer; whatever goes wrong in asking is an absence of answer, never a verdict."""
        try:
            return self._ask(probe)
        except PackmairieError as error:
            return Unanswered(str(error))
        except Exception as error:  # noqa: BLE001 — a probe that breaks must not hide the others, nor pass for a result
            return Unanswered(f"vérification impossible ({error.__class__.__name__} : {error})")

    def _ask(self, probe: Probe) -> Answer:
        match probe:
            case DnsQuery():
                return self.names.ask(probe)
            case SpfReview():
                return self.names.review_sender_policy(probe)
            case MxLocation():
                return self.names.locate_exchange(probe)
            case TlsHandshake():
                return self.transport.handshake(probe)
            case HttpGet():
                return self.transport.fetch(probe)
            case HttpChain():
                return self.web.follow(probe)
            case HttpPost():
                return self.web.post(probe)
            case SiteVisit():
                return self.web.visit(probe)
            case WebmailVisit():
                return visit_webmail(self.web, probe, self._password(probe))
            case HostReading(host):
                return read_host(host, self.pack.file.plateforme.hotes[host], (*SERVICES, *WEB_SERVICES))
            case MailRoundTrip():
                return self.mail.round_trip(probe, self._password(probe))

    def _password(self, probe: MailRoundTrip | WebmailVisit) -> str | None:
        kept = self.vault.read(probe.commune).get(probe.secret)
        return kept["mot_de_passe"] if isinstance(kept, dict) else None


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


def status_pack(
    folder: Path,
    wanted: Iterable[str] = (),
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> StatusResult:
    """Given a pack's folder and a selection of communes (none means all), ask every probe once and judge.

    Probes that several checks share are asked once. Raise PackmairieError when the pack is invalid.
    """
    pack = load_pack(folder)
    communes = select(pack, wanted)
    prober = Prober(pack, Vault(folder))
    checks = checks_of(pack, communes)
    # Mail first: it is the longest, and the rest fits in its shadow.
    probes = sorted(
        dict.fromkeys(probe for _commune, check in checks for probe in check.probes),
        key=lambda probe: not isinstance(probe, MailRoundTrip),
    )
    answers: dict[Probe, Answer] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        futures = {pool.submit(prober.ask, probe): probe for probe in probes}
        for done, future in enumerate(as_completed(futures), start=1):
            answers[futures[future]] = future.result()
            if on_progress:
                on_progress(done, len(futures))
    now = datetime.now(UTC).replace(microsecond=0)
    preuves = tuple(preuve_of(commune, check, answers, now) for commune, check in checks)
    titles = {check.name: check.title for _commune, check in checks if check.title}
    return StatusResult(pack, communes, preuves, titles)


def preuve_of(commune: str, check: Check, answers: dict[Probe, Answer], at: datetime) -> Preuve:
    """Judge one check and return its preuve."""
    verdict = check.judge(tuple(answers[probe] for probe in check.probes))
    return Preuve(
        commune=commune,
        brique=check.brique,
        check=check.name,
        state=verdict.state,
        measured=verdict.measured,
        expected=check.expected,
        remedy=verdict.remedy,
        at=at,
        rpnt=check.rpnt,
    )
