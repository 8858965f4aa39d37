# SPDX-License-Identifier: GPL-3.0-or-later
"""What a technician does to an inventory: find communes, add them, check the whole, start a new pack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from packmairie.inventory.atomic import write_new_files
from packmairie.inventory.loader import PACK_FILE, check_new, load_pack, read_contents
from packmairie.inventory.schema import SCHEMAS_FOLDER, write_schemas
from packmairie.inventory.source import forbidden_code
from packmairie.inventory.vault import ensure_vault_password
from packmairie.inventory.writer import commune_path, commune_text, pack_files, schema_line, write_communes
from packmairie.model.commune import Commune, DnsMode
from packmairie.model.fields import DomainName, Text
from packmairie.model.pack import Eligibilite, Pack
from packmairie.model.problem import PackmairieError, Problem, fail
from packmairie.registry.eligibility import Eligible, Refused, assess
from packmairie.registry.search import did_you_mean, search
from packmairie.registry.table import MILLESIME, Row, table

_DOMAIN: TypeAdapter[str] = TypeAdapter(DomainName)
_TEXT: TypeAdapter[str] = TypeAdapter(Text)


@dataclass(frozen=True)
class Found:
    """A commune that was found: its row, whether the pack may take it, and whether it has it already."""

    row: Row
    verdict: Eligible | Refused
    in_pack: bool


@dataclass(frozen=True)
class Wish:
    """What to add: INSEE codes, or every eligible commune, and the choices that go in their files."""

    codes: Sequence[str] = ()
    all_eligible: bool = False
    domain: str | None = None
    dns: DnsMode = DnsMode.GEREE
    waiver: str | None = None


@dataclass(frozen=True)
class Added:
    """The files written, by INSEE code in order, and the communes that the pack had already."""

    files: dict[str, Path] = field(default_factory=dict)
    already: tuple[str, ...] = ()


def find(text: str, folder: Path | None = None) -> list[Found]:
    """Given a piece of a name or a number, return the communes found, best first.

    ``folder`` is the pack whose policy and communes count (None: the default policy).
    Raise PackmairieError when nothing is found, with near misses, or when the pack is wrong.
    """
    pack = load_pack(folder) if folder is not None else None
    policy = pack.file.eligibilite if pack is not None else Eligibilite()
    present = {commune.insee: commune for commune in pack.communes} if pack is not None else {}
    hits = search(text)
    if not hits:
        raise PackmairieError([_not_found(text)])
    found = []
    for hit in hits:
        commune = present.get(hit.row.insee)
        verdict = assess(
            hit.row,
            policy,
            under_convention=commune is not None and commune.convention is not None,
            waiver=commune.derogation if commune is not None else None,
        )
        found.append(Found(hit.row, verdict, commune is not None))
    return found


def add(folder: Path, wish: Wish, progress: Callable[[int, int], None] = lambda done, total: None) -> Added:
    """Given a pack and communes to add, write their files: all of them, or none.

    ``progress`` is told how many files are prepared, of how many. Raise PackmairieError
    with every reason when one commune is refused, or when the pack is not sound already.
    """
    _check_choices(wish)
    contents = read_contents(folder)
    faults = check_new(contents, {})
    if faults or contents.file is None:
        raise PackmairieError(faults)
    policy = contents.file.eligibilite
    present = {entry.commune.insee: entry.path for entry in contents.entries if entry.commune is not None}
    rows, already, refusals = _choose(wish, policy, present)
    texts: dict[Path, str] = {}
    files: dict[str, Path] = {}
    for row, verdict in rows:
        path = commune_path(folder, row)
        texts[path] = commune_text(row, verdict, domain=wish.domain, dns=wish.dns, waiver=wish.waiver or "")
        files[row.insee] = path
        progress(len(texts), len(rows))
    problems = refusals + check_new(contents, texts)
    if problems:
        raise PackmairieError(problems)
    try:
        write_communes(folder, texts)
    except OSError as error:
        raise _not_written(folder, error) from error
    return Added(files, already)


def init(folder: Path, name: str) -> list[Path]:
    """Given a folder that is not a pack yet, write the first files of one; return their paths.

    A vault password is created too, unless the environment names one. Raise PackmairieError when a pack is there.
    """
    if (folder / PACK_FILE).exists():
        raise fail(str(folder / PACK_FILE), "ce dossier est déjà un pack", "choisir un autre dossier")
    try:
        name = _TEXT.validate_python(name)
    except ValidationError:
        raise fail("--name", "nom vide, trop long ou avec un caractère de contrôle", "choisir un nom simple") from None
    try:
        (folder / "communes").mkdir(parents=True, exist_ok=True)
        written = []
        if not schema_line(folder / PACK_FILE, "pack", folder):
            written += write_schemas(folder / SCHEMAS_FOLDER)
        files = pack_files(folder, name)
        write_new_files(files)
    except OSError as error:
        raise _not_written(folder, error) from error
    return [*written, *files, ensure_vault_password(folder)]


def commune_of(pack: Pack, insee: str) -> Commune:
    """Given a pack and an INSEE code, return its commune. Raise PackmairieError when the pack has not this one."""
    try:
        return pack.commune(insee)
    except KeyError:
        remedy = (
            f"l'ajouter : packmairie inventory add {insee}" if insee in table() else "voir : packmairie inventory list"
        )
        raise fail(f"commune {insee}", f"n'est pas dans le pack {pack.folder}", remedy) from None


def _not_written(folder: Path, error: OSError) -> PackmairieError:
    place = str(error.filename2 or error.filename or folder)
    return fail(
        place,
        f"écriture impossible ({error.strerror})",
        "vérifier les droits et la place disponible : rien n'est ajouté",
    )


def _check_choices(wish: Wish) -> None:
    """Raise PackmairieError when the choices contradict one another or could not be written in a file."""
    problems = []
    if wish.all_eligible and wish.codes:
        problems.append(Problem("--all-eligible", "donné avec des codes INSEE", "choisir l'un ou l'autre"))
    if not wish.all_eligible and not wish.codes:
        problems.append(
            Problem("inventory add", "aucune commune demandée", "donner des codes INSEE, ou --all-eligible")
        )
    if wish.domain is not None and (wish.all_eligible or len(set(wish.codes)) != 1):
        problems.append(
            Problem("--domain", "un nom de domaine ne convient qu'à une seule commune", "les ajouter une par une")
        )
    if wish.waiver is not None and wish.all_eligible:
        problems.append(Problem("--waiver", "sans objet avec --all-eligible", "nommer les communes qui en ont besoin"))
    if wish.domain is not None:
        problems += _suits(_DOMAIN, wish.domain, "--domain")
    if wish.waiver is not None:
        problems += _suits(_TEXT, wish.waiver, "--waiver")
    if problems:
        raise PackmairieError(problems)


def _suits(adapter: TypeAdapter[str], text: str, place: str) -> list[Problem]:
    try:
        adapter.validate_python(text)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        reason = str(detail["ctx"]["error"]) if "error" in detail.get("ctx", {}) else "valeur vide ou trop longue"
        return [Problem(place, f"« {text!r:.60} » : {reason}", "corriger cette valeur")]
    if forbidden_code(text):
        return [
            Problem(
                place, f"« {forbidden_code(text)} » : ni modèle ni commande ici", "écrire la valeur en toutes lettres"
            )
        ]
    return []


def _choose(
    wish: Wish, policy: Eligibilite, present: dict[str, Path]
) -> tuple[list[tuple[Row, Eligible]], tuple[str, ...], list[Problem]]:
    """Return the communes to add and why each is admitted, those already there, and the refusals."""
    chosen: list[tuple[Row, Eligible]] = []
    refusals: list[Problem] = []
    if wish.all_eligible:
        verdicts = ((row, assess(row, policy)) for row in table().values())
        eligible = [(row, verdict) for row, verdict in verdicts if isinstance(verdict, Eligible)]
        if not eligible:
            refusals.append(_nobody(policy))
        already = tuple(row.insee for row, _ in eligible if row.insee in present)
        return [(row, verdict) for row, verdict in eligible if row.insee not in present], already, refusals
    for code in dict.fromkeys(wish.codes):
        row = table().get(code)
        if row is None:
            refusals.append(_not_found(code))
        elif code in present:
            refusals.append(Problem(_label(row), f"déjà dans le pack ({present[code]})", "modifier ce fichier"))
        else:
            verdict = assess(row, policy, waiver=wish.waiver)
            if isinstance(verdict, Eligible):
                chosen.append((row, verdict))
            else:
                refusals.append(Problem(_label(row), f"non éligible : {verdict.reason}", _remedy(policy)))
    return chosen, (), refusals


def _label(row: Row) -> str:
    return f"{row.insee} {row.nom}"


def _remedy(policy: Eligibilite) -> str:
    if policy.millesime != MILLESIME:
        return f"accorder eligibilite.millesime de pack.yml au registre ({MILLESIME})"
    return 'la retirer de la commande, ou l\'admettre par --waiver "motif"'


def _nobody(policy: Eligibilite) -> Problem:
    if policy.millesime != MILLESIME:
        return Problem(
            PACK_FILE, f"eligibilite.millesime est {policy.millesime}, le registre est au {MILLESIME}", "les accorder"
        )
    return Problem(PACK_FILE, "aucune commune du registre ne satisfait « eligibilite »", "revoir ces règles")


def _not_found(text: str) -> Problem:
    """Return what to say of a text that matches no commune, with the nearest names."""
    hits: Iterable[Row] = did_you_mean(text)
    if not text.isdigit():
        hits = [hit.row for hit in search(text)[:3]] or hits
    near = [_label(row) for row in hits]
    remedy = (
        f"vouliez-vous dire {' ou '.join(near)} ?" if near else "chercher par nom : packmairie inventory search NOM"
    )
    return Problem(f"« {text:.60} »", f"introuvable au registre {MILLESIME} (départements 02, 59, 60, 62, 80)", remedy)
