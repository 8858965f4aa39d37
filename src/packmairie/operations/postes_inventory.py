# SPDX-License-Identifier: GPL-3.0-or-later
"""``postes inventory``: the machines of the mairies, as their files declare them and as they answer now."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from packmairie.briques.postes_tirage import bundle_host
from packmairie.engines.postes import Way, read_poste, read_pull, read_reported
from packmairie.inventory.loader import load_pack
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.poste import Poste
from packmairie.model.probe import Answer, Found, Unanswered
from packmairie.model.probes_postes import PosteFacts
from packmairie.operations.desired import select
from packmairie.operations.variables import workstation_variables

WORKERS = 32
UNKNOWN = "inconnu"


@dataclass(frozen=True)
class Machine:
    """A line of the inventory; what nobody could read is ``inconnu``, never empty as if it were nothing."""

    insee: str
    commune: str
    poste: str
    etat: str
    modele: str
    numero_serie: str
    modele_lu: str
    numero_serie_lu: str
    garantie: str
    memoire_go: str
    disques: str
    sante_disques: str
    chiffrement: str
    systeme: str
    fin_de_support: str
    lu_le: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def way_to(pack: Pack, insee: str, name: str) -> Way:
    """Return how a workstation is reached, as Ansible is told. Raise KeyError for one that the pack has not."""
    commune = pack.commune(insee)
    poste = next((one for one in commune.postes if one.nom == name), None)
    if poste is None:
        raise KeyError(name)
    variables = workstation_variables(commune, poste, pack)
    address, port = str(variables["ansible_host"]), int(variables.get("ansible_port", 22))
    command = variables.get("postes_proxy_command", "") if address == poste.loopback else ""
    return Way(address, port, variables, str(command), poste.nom if command else "")


def ask_poste(pack: Pack, insee: str, name: str) -> Answer:
    """Return the facts of a workstation: read there, or as it last reported them where it pulls its state.

    Raise KeyError for one that the pack has not.
    """
    publisher = bundle_host(pack)
    poste = next((one for one in pack.commune(insee).postes if one.nom == name), None)
    if poste is not None and poste.pulled and publisher is not None:
        return read_reported(*publisher, name)
    return read_poste(name, way_to(pack, insee, name))


def ask_pull(pack: Pack, name: str) -> Answer:
    """Return what is published for a workstation that pulls, and what it told of it."""
    publisher = bundle_host(pack)
    if publisher is None:
        return Unanswered("aucun hôte ne publie de paquets")
    return read_pull(*publisher, name)


def read_machines(
    folder: Path, wanted: Iterable[str] = (), on_progress: Callable[[int, int], None] | None = None
) -> list[Machine]:
    """Given a pack and communes (none means all), ask every workstation in service, in parallel; keep the file's order.

    Raise PackmairieError when the pack or the selection is invalid.
    """
    pack = load_pack(folder)
    communes = [pack.commune(code) for code in select(pack, wanted)]
    pairs = [(commune, poste) for commune in communes for poste in commune.postes]

    def ask(pair: tuple[Commune, Poste]) -> Answer:
        commune, poste = pair
        if poste.revoque_le is not None:
            return Unanswered("révoqué")
        return ask_poste(pack, commune.insee, poste.nom)

    machines = []
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        for done, (pair, answer) in enumerate(zip(pairs, pool.map(ask, pairs), strict=True), start=1):
            machines.append(machine_of(*pair, answer, datetime.now(UTC)))
            if on_progress:
                on_progress(done, len(pairs))
    return machines


def machine_of(commune: Commune, poste: Poste, answer: Answer, now: datetime) -> Machine:
    """Return the line of a workstation from what its file says and what it answered."""
    facts = answer.value if isinstance(answer, Found) and isinstance(answer.value, PosteFacts) else None
    state = "révoqué le " + french(poste.revoque_le) if poste.revoque_le else "joint" if facts else "injoignable"
    return Machine(
        insee=commune.insee,
        commune=commune.nom,
        poste=poste.nom,
        etat=state,
        modele=poste.modele or "",
        numero_serie=poste.numero_serie or "",
        modele_lu=" ".join(filter(None, (facts.maker, facts.model))) or UNKNOWN if facts else UNKNOWN,
        numero_serie_lu=facts.serial or UNKNOWN if facts else UNKNOWN,
        garantie=french(poste.garantie) if poste.garantie else UNKNOWN,
        memoire_go=f"{facts.memory / 1e9:.0f}" if facts and facts.memory else UNKNOWN,
        disques=" + ".join(f"{disk.octets / 1e9:.0f} Go" for disk in facts.disks) or UNKNOWN if facts else UNKNOWN,
        sante_disques=health(facts) if facts else UNKNOWN,
        chiffrement={True: "oui", False: "non", None: UNKNOWN}[facts.encrypted if facts else None],
        systeme=facts.system or UNKNOWN if facts else UNKNOWN,
        fin_de_support=french(facts.support) if facts and facts.support else UNKNOWN,
        lu_le=(facts.read or now).astimezone().strftime("%d/%m/%Y %H:%M") if facts else "",
    )


def health(facts: PosteFacts) -> str:
    """Return the disks' own verdict: the worst one, and unknown when any keeps silent."""
    verdicts = [disk.healthy for disk in facts.disks]
    if False in verdicts:
        return "défaut annoncé"
    return "bonne" if verdicts and None not in verdicts else UNKNOWN


def french(day: date | None) -> str:
    """Return a date as it is written in French tables."""
    return f"{day:%d/%m/%Y}" if day else ""
