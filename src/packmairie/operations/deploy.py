# SPDX-License-Identifier: GPL-3.0-or-later
"""``deploy``: bring hosts and zones to the state of the pack's files, wave by wave, and account for each commune."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packmairie.engines.ansible import Failure, RunResult, Step, run_playbook
from packmairie.inventory.loader import load_pack
from packmairie.model.change import PLATEFORME, Change, Plan, restrict
from packmairie.model.deployment import Ending, Outcome, Request, RunRecord, waves_of
from packmairie.model.pack import Pack
from packmairie.model.preuve import Preuve
from packmairie.model.problem import PackmairieError, fail
from packmairie.operations.desired import select
from packmairie.operations.digests import desired_digests, moved
from packmairie.operations.guard import may_be_too_many, refuse_removal, refuse_too_many
from packmairie.operations.journal import Journal, one_at_a_time, read_runs, who
from packmairie.operations.plan import SITE, plan_pack, secret_change, selection_variables
from packmairie.operations.proofs import wave_proofs
from packmairie.operations.saved_plan import SavedPlan, concerned, refuse_moved_desire, refuse_moved_world, unplanned
from packmairie.operations.secrets import generate_secrets
from packmairie.operations.variables import station_commune

RUNS_FOLDER = "runs"
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Options:
    """How a deployment was asked for, beside its communes. ``waves`` replaces the pack's policy."""

    force_dns: bool = False
    allow_many: bool = False
    allow_removal: bool = False
    waves: tuple[int, ...] | None = None


@dataclass(frozen=True)
class DeployResult:
    """What a deployment did."""

    folder: Path
    changes: tuple[Change, ...]
    failures: tuple[Failure, ...]
    outcomes: dict[str, Outcome]
    seconds: float
    tasks: int = 0
    faults: tuple[Preuve, ...] = ()
    """The preuves that stopped the waves."""
    waves: tuple[tuple[str, ...], ...] = ()
    """The waves that were begun."""
    beyond: tuple[str, ...] = ()
    """Communes of which nothing could be proven: their name does not lead here yet."""
    sample: tuple[str, ...] = ()
    """The communes by which a large wave was proven."""
    unplanned: tuple[Change, ...] = ()
    plan: str = ""
    resumes: str = ""

    @property
    def succeeded(self) -> bool:
        """Tell whether every commune asked for is deployed, and nothing failed."""
        return not self.failures and not self.unplanned and all(outcome.done for outcome in self.outcomes.values())

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for ``deploy --json`` and the summary of the run."""
        return {
            "run": self.folder.name,
            "who": who(),
            "seconds": round(self.seconds, 1),
            "tasks": self.tasks,
            "plan": self.plan or None,
            "resumes": self.resumes or None,
            "communes": {code: outcome.value for code, outcome in self.outcomes.items()},
            "waves": [list(wave) for wave in self.waves],
            "changes": [asdict(change) for change in self.changes],
            "failures": [asdict(failure) for failure in self.failures],
            "faults": [preuve.as_dict() for preuve in self.faults],
            "beyond": list(self.beyond),
            "sample": list(self.sample),
            "unplanned": [asdict(change) for change in self.unplanned],
        }


@dataclass(frozen=True)
class _Job:
    """One deployment: what was asked, of which pack, and what it continues or applies."""

    folder: Path
    pack: Pack
    options: Options
    runs: Path
    saved: SavedPlan | None
    resumed: RunRecord | None
    on_step: Callable[[Step], None] | None


@dataclass
class _Account:
    """What the waves of a run have done so far."""

    outcomes: dict[str, Outcome]
    changes: list[Change] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    faults: list[Preuve] = field(default_factory=list)
    waves: list[tuple[str, ...]] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)
    tasks: int = 0


def deploy_pack(
    folder: Path,
    wanted: Iterable[str] = (),
    *,
    runs: Path | None = None,
    options: Options = Options(),
    saved: SavedPlan | None = None,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
) -> DeployResult:
    """Given a pack's folder and a selection of communes (none means all), deploy them wave by wave.

    Missing secrets are generated first, in the vault; existing ones never change. With ``saved`` (a plan), exactly that
    is applied, or nothing. With ``resume``, the last run of this pack that did not end well is finished, its communes
    that are done left alone. The run's folder (``runs/<date>``) keeps the journal, ansible-runner's artifacts and
    ``summary.json``, written also when the run fails. Raise PackmairieError when the pack, the selection or the plan is
    refused; then nothing has been touched.
    """
    pack = load_pack(folder)
    place = runs or Path(RUNS_FOLDER)
    asked = tuple(wanted)
    if asked and (saved or resume):
        raise fail("deploy", "--plan et --resume disent déjà quelles communes", "ne pas en nommer")
    select(pack, asked)
    with one_at_a_time(place, folder):
        digests = desired_digests(pack)
        resumed = last_unfinished(place, folder, digests) if resume else None
        job = _Job(folder, pack, options, place, saved, resumed, on_step)
        request = _request(job, asked, digests)
        return _run(job, request, _todo(job, request))


def last_unfinished(runs: Path, folder: Path, digests: Mapping[str, str]) -> RunRecord:
    """Return the last run of a pack, which did not end well, its outcomes void where the wish has moved since.

    Raise PackmairieError when there is nothing to resume, or when a plan that it applied no longer holds.
    """
    last = next((run for run in read_runs(runs, folder)), None)
    if last is None or last.ending is Ending.SUCCEEDED:
        raise fail(str(runs), "aucun déploiement à reprendre", "voir « packmairie history »")
    if not last.request.whole and not any(code in digests for code in last.request.communes):
        raise fail(last.name, "ses communes ne sont plus dans le pack", "relancer sa commande (packmairie remove)")
    changed = moved(last.request.desired, concerned(digests, last.request.communes))
    if changed and last.request.plan:
        raise fail(
            last.name,
            f"a changé depuis le plan appliqué : {', '.join(changed[:10])}",
            "refaire un plan, et l'appliquer",
        )
    if {"pack", "code"} & set(changed):
        changed = last.request.communes
    return RunRecord(
        last.name,
        last.who,
        last.started,
        last.ended,
        last.ending,
        last.request,
        {
            code: Outcome.WAITING if code in changed else outcome
            for code, outcome in last.outcomes.items()
            if code in digests
        },
    )


def _request(job: _Job, asked: tuple[str, ...], digests: Mapping[str, str]) -> Request:
    pack, options, saved, resumed = job.pack, job.options, job.saved, job.resumed
    if saved is not None:
        refuse_moved_desire(saved, pack)
        asked = () if saved.whole else saved.communes
    if resumed is not None:
        asked = () if resumed.request.whole else tuple(resumed.outcomes)
    communes = select(pack, asked)
    before = resumed.request if resumed else None
    return Request(
        pack=str(job.folder.resolve()),
        communes=communes,
        whole=len(communes) == len(pack.communes),
        desired=concerned(digests, communes),
        plan=saved.digest if saved else before.plan if before else "",
        resumes=resumed.name if resumed else "",
        force_dns=options.force_dns or bool(before and before.force_dns),
        allow_many=options.allow_many or bool(before and before.allow_many),
        allow_removal=options.allow_removal or bool(before and before.allow_removal),
    )


def _todo(job: _Job, request: Request) -> tuple[str, ...] | None:
    """Return the communes to deploy, in order, once nothing forbids it; None when all is as wished already.

    The world is asked first where the answer may forbid it: to compare it with a plan, or where so many communes are
    asked for that changing all of them needs a word. Otherwise deploying tells as much.
    """
    pack, saved = job.pack, job.saved
    known = [commune.insee for commune in pack.communes]
    if job.resumed is not None:
        before = job.resumed.outcomes
        return tuple(code for code in request.communes if not before.get(code, Outcome.WAITING).done)
    percent = pack.file.deploiement.changement_max_pourcent
    doubtful = may_be_too_many(len(request.communes), len(known), percent)
    if saved is None and (not doubtful or (request.allow_many and request.allow_removal)):
        return request.communes
    now: Plan = plan_pack(job.folder, () if request.whole else request.communes, job.on_step)
    if saved is not None:
        refuse_moved_world(saved, now)
    if not request.allow_many:
        refuse_too_many(now.changes, known, percent)
    if not request.allow_removal:
        refuse_removal(now.changes, known)
    if not now.changes and not now.unforeseen:
        return None
    changed = {change.commune for change in now.changes}
    return tuple(code for code in request.communes if code in changed)


def _run(job: _Job, request: Request, todo: tuple[str, ...] | None) -> DeployResult:
    started, clock = datetime.now(UTC), time.monotonic()
    run_folder = new_run_folder(job.runs, started)
    journal = Journal(run_folder)
    journal.start(request)
    done = {code: Outcome.UNCHANGED for code in request.communes if todo is None or code not in todo}
    account = _Account(dict.fromkeys(request.communes, Outcome.WAITING) | done)
    ending = Ending.INTERRUPTED
    try:
        journal.outcomes(done)
        if todo is not None:
            _waves(job, request, todo, journal, account)
        good = not account.failures and all(outcome.done for outcome in account.outcomes.values())
        ending = Ending.SUCCEEDED if good else Ending.FAILED
    except PackmairieError as error:
        account.failures += [Failure("", problem.place, problem.reason) for problem in error.problems]
        ending = Ending.FAILED
    finally:
        journal.end(ending)
        result = DeployResult(
            run_folder,
            tuple(account.changes),
            tuple(account.failures),
            account.outcomes,
            time.monotonic() - clock,
            account.tasks,
            tuple(account.faults),
            tuple(account.waves),
            tuple(account.beyond),
            tuple(account.sample),
            unplanned(job.saved, account.changes) if job.saved else (),
            request.plan,
            request.resumes,
        )
        text = json.dumps(result.as_dict(), ensure_ascii=False, indent=2) + "\n"
        (run_folder / SUMMARY).write_text(text, encoding="utf-8")
    return result


def _waves(job: _Job, request: Request, todo: tuple[str, ...], journal: Journal, account: _Account) -> None:
    """Deploy wave after wave, until one has a fault; each outcome is in the journal before the next wave begins."""
    folder, pack = job.folder, job.pack
    sizes = pack.file.deploiement.vagues if job.options.waves is None else job.options.waves
    # Nothing but the platform changes: it is deployed all the same, and proven by the first commune.
    waves = waves_of(todo, sizes) or ((),)
    for number, wave in enumerate(waves, start=1):
        last = number == len(waves)
        # The last wave of a whole pack is the whole pack: what no commune owns any more is found and removed then.
        chosen = request.communes if last and request.whole else wave or request.communes
        account.waves.append(wave)
        journal.wave(wave)
        account.outcomes |= dict.fromkeys(wave, Outcome.INTERRUPTED)
        generated = (
            [secret_change(missing) for missing in generate_secrets(pack, folder, communes=wave)] if wave else []
        )
        variables: dict[str, Any] = {"packmairie_accounts": True, **selection_variables(chosen, len(pack.communes))}
        if request.force_dns:
            variables["packmairie_force_dns"] = True
        if request.allow_removal:
            variables["packmairie_allow_removal"] = True
        artifacts = journal.path.parent if len(waves) == 1 else journal.path.parent / f"vague-{number}"
        result = run_playbook(SITE, folder, artifacts, variables=variables, on_step=job.on_step)
        whole = request.whole and last
        found = [*generated, *result.changes]
        changes = tuple(found) if whole else restrict(found, chosen)
        account.changes += changes
        account.failures += failures_of(result)
        account.tasks += result.tasks
        now = outcomes(wave, changes, result)
        if result.status == "canceled":
            raise KeyboardInterrupt
        if not account.failures or any(outcome.done for outcome in now.values()):
            good = tuple(code for code, outcome in now.items() if outcome.done)
            proofs = wave_proofs(folder, pack, good or request.communes[:1] if not wave else good)
            account.faults += proofs.faults
            account.beyond += proofs.beyond
            account.sample += proofs.sample
            now |= {preuve.commune: Outcome.UNPROVEN for preuve in proofs.faults if preuve.commune in now}
        account.outcomes |= now
        journal.outcomes(now)
        if account.failures or account.faults:
            return


def tasks_of_last_run(runs: Path) -> int | None:
    """Return how many tasks the last run had, for a progress bar; None when nothing is known."""
    for summary in sorted(runs.glob(f"*/{SUMMARY}"), reverse=True):
        try:
            return int(json.loads(summary.read_text(encoding="utf-8"))["tasks"]) or None
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def new_run_folder(runs: Path, started: datetime) -> Path:
    """Create and return ``runs/<date>``, for the technician's eyes only; a second run of one second gets a suffix."""
    runs.mkdir(parents=True, exist_ok=True)
    base = started.strftime("%Y%m%d-%H%M%S")
    for suffix in ("", *(f"-{number}" for number in range(2, 100))):
        folder = runs / f"{base}{suffix}"
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return folder
    raise RuntimeError(f"no free run folder under {runs}")


def failures_of(result: RunResult) -> list[Failure]:
    """Return a run's failures; a run that touched no host at all has failed, whatever its exit status."""
    if result.failures or result.hosts:
        return list(result.failures)
    return [Failure("", "exécution", "aucun hôte n'a pris part au déploiement")]


def outcomes(communes: tuple[str, ...], changes: Iterable[Change], result: RunResult) -> dict[str, Outcome]:
    """Return what became of each commune.

    The shared hosts serve all: when one of them fails, no commune of the run may be called deployed. A workstation that
    fails, or is off, is its own commune's.
    """
    failed = {failure.commune or station_commune(failure.host) for failure in failures_of(result)}
    if None in failed:
        return dict.fromkeys(communes, Outcome.FAILED)
    changed = {change.commune for change in changes if change.commune != PLATEFORME}
    done = {code: Outcome.CHANGED if code in changed else Outcome.UNCHANGED for code in communes}
    return done | {code: Outcome.FAILED for code in communes if code in failed}
