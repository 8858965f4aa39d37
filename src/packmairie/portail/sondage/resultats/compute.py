# SPDX-License-Identifier: GPL-3.0-or-later
"""The results of a survey, computed once as a value that pages, files and commands render."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, compress

from packmairie.model.problem import fail
from packmairie.portail.sondage.questionnaire.model import Line, Question, Questionnaire, Values
from packmairie.portail.sondage.statistique.comparisons import (
    Difference,
    Independence,
    independent,
    paired,
    rao_scott,
)
from packmairie.portail.sondage.statistique.distributions import holm
from packmairie.portail.sondage.statistique.estimates import Share, share
from packmairie.portail.sondage.statistique.frame import LARGEST_CLASS, POPULATION_CLASSES, TITLES, VARIABLES, Stratum
from packmairie.portail.sondage.statistique.groups import ANY, SMALLEST, Group, build_groups, merge_small
from packmairie.portail.sondage.statistique.suppression import hidden_cells
from packmairie.portail.sondage.statistique.weights import Weights, post_stratified, raked

NOT_TOLD = "non précisé"
"""Row of a cross table for answers of groups that do not tell the variable."""


CLASSES = (*(label for _below, label in POPULATION_CLASSES), LARGEST_CLASS)


@dataclass(frozen=True)
class Answer:
    """One answer: its stratum (ANY where unknown) and what was answered, by variable."""

    stratum: Stratum
    values: Values


@dataclass(frozen=True)
class Step:
    """A step: shares of each degree, of the favourable and of the unfavourable ones, in the base that judged it."""

    code: str
    libelle: str
    court: str
    base: int
    hors_base: int
    degres: Mapping[str, Share]
    favorables: Share
    insatisfaits: Share


@dataclass(frozen=True)
class Pair:
    """Two steps compared by those who judged both; the p-value is Holm's, for all pairs together."""

    first: str
    second: str
    difference: Difference


@dataclass(frozen=True)
class Priority:
    """A step on the map: how many find it important, how many are not satisfied."""

    code: str
    court: str
    importance: Share
    insatisfaits: Share


@dataclass(frozen=True)
class Evolution:
    """A step over the years, earliest first, and whether the last year differs from the one before."""

    code: str
    court: str
    annees: tuple[tuple[int, Share], ...]
    difference: Difference | None


@dataclass(frozen=True)
class Cross:
    """Dissatisfaction by group: ``cells`` by (value, step), None where it must stay hidden."""

    variable: str
    titre: str
    rows: tuple[str, ...]
    bases: Mapping[str, int]
    cells: Mapping[tuple[str, str], Share | None]
    tests: Mapping[str, Independence | None]
    """Rao–Scott by step, p-values adjusted by Holm for the steps of the table."""


@dataclass(frozen=True)
class Choice:
    """A question of one or several choices: the share of each."""

    code: str
    libelle: str
    base: int
    parts: Mapping[str, tuple[str, Share]]


@dataclass(frozen=True)
class Results:
    """Everything there is to tell of a survey."""

    titre: str
    annee: int
    population: int
    invitees: int
    reponses: int
    taux: float
    methode: str
    weights: Weights
    groups: tuple[Group, ...]
    echelle: tuple[tuple[str, str, int], ...]
    etapes: tuple[Step, ...]
    paires: tuple[Pair, ...]
    priorites: tuple[Priority, ...]
    croisements: tuple[Cross, ...]
    choix: tuple[Choice, ...]
    insatisfaction: Mapping[Stratum, tuple[tuple[int, int], ...]]
    """(dissatisfied, judged) of each step shown, by group: for the next draw, shown nowhere."""
    evolutions: tuple[Evolution, ...] = ()
    masquees: tuple[str, ...] = field(default=())
    """Steps that too few judged to be shown."""


class _Table:
    """Answers turned sideways, once: the group of each, and each variable as a column."""

    def __init__(
        self, groups: Sequence[Group], weights: Sequence[float], members: Sequence[int], answers: Sequence[Answer]
    ):
        self.groups, self.weights, self.members = groups, weights, members
        self.answers = answers

    def column(self, name: str) -> list[str | None]:
        """Return the answers to a variable of one choice."""
        found = (answer.values.get(name) for answer in self.answers)
        return [value if isinstance(value, str) else None for value in found]

    def share(self, flags: Sequence[bool | None]) -> Share | None:
        """Return the share of True among what is not None."""
        counts = Counter(zip(self.members, flags, strict=True))
        numbers = range(len(self.groups))
        ones = [counts[i, True] for i in numbers]
        return share(self.groups, self.weights, [ones[i] + counts[i, False] for i in numbers], ones)

    def counts(self, columns: Iterable[Sequence[bool | None]]) -> dict[Stratum, tuple[tuple[int, int], ...]]:
        """Return (True, not None) of each column, by group."""
        tallies = [Counter(zip(self.members, flags, strict=True)) for flags in columns]
        return {
            group.label: tuple((tally[i, True], tally[i, True] + tally[i, False]) for tally in tallies)
            for i, group in enumerate(self.groups)
        }


def compute(
    questionnaire: Questionnaire,
    population: Mapping[Stratum, int],
    invited: Mapping[Stratum, int],
    answers: Iterable[Answer],
    annee: int,
    *,
    past: Mapping[int, Mapping[str, Share]] | None = None,
    calage: bool = False,
    variables: Sequence[str] = VARIABLES,
) -> Results:
    """Return the results of answers to a questionnaire.

    ``population`` and ``invited`` count the units of each stratum; strata of answers are among them (or groups of
    them, with ANY). Groups of at least five answers are weighted by post-stratification, or with ``calage`` raked
    on the variables that all groups tell. ``past`` has the share of dissatisfied of former years, by step. Raise
    PackmairieError where nothing can be computed.
    """
    listed = tuple(answers)
    if len(listed) < SMALLEST:
        raise fail("résultats", f"{len(listed)} réponses : trop peu", f"attendre au moins {SMALLEST} réponses")
    counts = Counter(answer.stratum for answer in listed)
    strangers = sorted(set(counts) - set(population))
    if strangers:
        raise fail("résultats", f"strate inconnue de la base : {' / '.join(strangers[0])}", "donner la base du tirage")
    labels = merge_small({stratum: counts.get(stratum, 0) for stratum in population})
    groups = build_groups(labels, population, invited, counts)
    if calage:
        weights, method = _rake(groups)
    else:
        weights, method = post_stratified(groups), "post-stratification"
    places = {group.label: place for place, group in enumerate(groups)}
    table = _Table(groups, weights.values, [places[labels[a.stratum]] for a in listed], listed)
    grid = questionnaire.with_role("satisfaction")
    assert grid is not None  # the model refuses a questionnaire without it  # noqa: S101
    shown = [line for line in grid.lignes if _judged(table, grid, line) >= SMALLEST]
    unhappy = {line.code: _side(table, grid, line, favourable=False) for line in shown}
    steps = tuple(_step(table, grid, line) for line in shown)
    return Results(
        titre=questionnaire.titre,
        annee=annee,
        population=sum(population.values()),
        invitees=sum(invited.values()),
        reponses=len(listed),
        taux=len(listed) / max(1, sum(invited.values())),
        methode=method,
        weights=weights,
        groups=groups,
        echelle=tuple((m.code, m.libelle, m.sens) for m in grid.modalites if m.sens is not None),
        etapes=steps,
        paires=_pairs(table, unhappy),
        priorites=_priorities(table, questionnaire, steps),
        croisements=tuple(
            cross for place, name in enumerate(variables) if (cross := _cross(table, name, place, unhappy)) is not None
        ),
        choix=tuple(c for q in questionnaire.questions() if (c := _choice(table, q)) is not None),
        insatisfaction=table.counts(unhappy.values()),
        evolutions=_evolutions(steps, annee, past or {}),
        masquees=tuple(line.libelle for line in grid.lignes if line not in shown),
    )


def _rake(groups: Sequence[Group]) -> tuple[Weights, str]:
    told = [i for i in range(len(groups[0].label)) if all(group.label[i] != ANY for group in groups)]
    if not told:
        raise fail("calage", "aucune variable n'est connue de toutes les réponses", "employer la post-stratification")
    margins: dict[int, dict[str, float]] = {i: {} for i in told}
    for group in groups:
        for i in told:
            margins[i][group.label[i]] = margins[i].get(group.label[i], 0) + group.population
    return raked(groups, margins), "calage sur marges"


def _judged(table: _Table, grid: Question, line: Line) -> int:
    return sum(flag is not None for flag in _side(table, grid, line, favourable=True))


def _side(table: _Table, grid: Question, line: Line, *, favourable: bool) -> list[bool | None]:
    """Return, for each answer, whether it is on one side of the scale; None off the scale or without an answer."""
    senses = {m.code: m.sens for m in grid.modalites}
    flags: dict[str | None, bool | None] = {
        code: None if sense is None else (sense > 0) == favourable for code, sense in senses.items()
    }
    return [flags.get(value) for value in table.column(f"{grid.code}.{line.code}")]


def _step(table: _Table, grid: Question, line: Line) -> Step:
    column = table.column(f"{grid.code}.{line.code}")
    on_scale = {m.code for m in grid.modalites if m.sens is not None}
    degrees: dict[str, Share] = {}
    for code in (m.code for m in grid.modalites if m.sens is not None):
        found = table.share([None if value not in on_scale else value == code for value in column])
        if found is not None:
            degrees[code] = found
    good = table.share(_side(table, grid, line, favourable=True))
    bad = table.share(_side(table, grid, line, favourable=False))
    assert good is not None  # noqa: S101 - the caller keeps lines that five people judged
    assert bad is not None  # noqa: S101
    return Step(line.code, line.libelle, line.short, bad.base, len(column) - bad.base, degrees, good, bad)


def _pairs(table: _Table, unhappy: Mapping[str, Sequence[bool | None]]) -> tuple[Pair, ...]:
    found: list[tuple[str, str, Difference]] = []
    for first, second in combinations(unhappy, 2):
        counts = Counter(zip(table.members, unhappy[first], unhappy[second], strict=True))
        joint: list[dict[tuple[bool, bool], int]] = [{} for _group in table.groups]
        for (member, one, other), count in counts.items():
            if one is not None and other is not None:
                joint[member][one, other] = count
        difference = paired(table.groups, table.weights, joint)
        if difference is not None and difference.base >= SMALLEST:
            found.append((first, second, difference))
    adjusted = holm([difference.p_value for _first, _second, difference in found])
    return tuple(
        Pair(first, second, Difference(d.value, d.low, d.high, p_value, d.base))
        for (first, second, d), p_value in zip(found, adjusted, strict=True)
    )


def _priorities(table: _Table, questionnaire: Questionnaire, steps: Sequence[Step]) -> tuple[Priority, ...]:
    grid = questionnaire.with_role("importance")
    if grid is None:
        return ()
    lines = {line.code: line for line in grid.lignes}
    strongest = next(m.code for m in grid.modalites if m.sens == 2)
    on_scale = {m.code for m in grid.modalites if m.sens is not None}
    points = []
    for step in steps:
        if step.code not in lines:
            continue
        column = table.column(f"{grid.code}.{step.code}")
        found = table.share([None if value not in on_scale else value == strongest for value in column])
        if found is not None and found.base >= SMALLEST:
            points.append(Priority(step.code, step.court, found, step.insatisfaits))
    return tuple(points)


def _cross(table: _Table, name: str, place: int, unhappy: Mapping[str, Sequence[bool | None]]) -> Cross | None:
    told = [group.label[place] if group.label[place] != ANY else NOT_TOLD for group in table.groups]
    rows = sorted(set(told), key=_row_order)
    if len(rows) < 2:
        return None
    cells: dict[tuple[str, str], Share | None] = {}
    raw: dict[str, Independence | None] = {}
    for step, flags in unhappy.items():
        counts = Counter(zip(table.members, flags, strict=True))
        bad = [counts[i, True] for i in range(len(told))]
        base = [bad[i] + counts[i, False] for i in range(len(told))]
        inside = {row: [here == row for here in told] for row in rows}
        numbers = {
            (row, side): sum(compress(values, inside[row]))
            for row in rows
            for side, values in (("oui", bad), ("non", [n - y for n, y in zip(base, bad, strict=True)]))
        }
        hidden = hidden_cells(numbers, rows, ("oui", "non"))
        for row in rows:
            if {(row, "oui"), (row, "non")} & hidden:
                cells[row, step] = None
                continue
            kept = inside[row]
            cells[row, step] = share(
                table.groups,
                table.weights,
                [n * k for n, k in zip(base, kept, strict=True)],
                [y * k for y, k in zip(bad, kept, strict=True)],
            )
        raw[step] = rao_scott(
            table.groups,
            table.weights,
            [
                {} if here == NOT_TOLD else {(here, "oui"): y, (here, "non"): n - y}
                for here, n, y in zip(told, base, bad, strict=True)
            ],
        )
    bases = {row: sum(g.answers for g, here in zip(table.groups, told, strict=True) if here == row) for row in rows}
    known = [step for step, test in raw.items() if test is not None]
    adjusted = dict(zip(known, holm([test.p_value for test in raw.values() if test is not None]), strict=True))
    tests = {
        step: None if test is None else Independence(test.statistic, test.degrees, adjusted[step])
        for step, test in raw.items()
    }
    return Cross(
        name, TITLES.get(name, name), tuple(rows), bases, cells, tests
    )  # fmt: skip


def _row_order(row: str) -> tuple[bool, int, str]:
    """Classes of population by size, other values by name, what is not told last."""
    return row == NOT_TOLD, CLASSES.index(row) if row in CLASSES else -1, row


def _choice(table: _Table, question: Question) -> Choice | None:
    if question.genre not in ("choix", "choix_multiples"):
        return None
    answered = [answer.values.get(question.code) for answer in table.answers]
    base = sum(value is not None for value in answered)
    if base < SMALLEST:
        return None
    parts: dict[str, tuple[str, Share]] = {}
    for modality in question.modalites:
        flags = [
            None if value is None else (value == modality.code if isinstance(value, str) else modality.code in value)
            for value in answered
        ]
        found = table.share(flags)
        if found is not None:
            parts[modality.code] = (modality.libelle, found)
    return Choice(question.code, question.libelle, base, parts)


def _evolutions(
    steps: Sequence[Step], annee: int, past: Mapping[int, Mapping[str, Share]]
) -> tuple[Evolution, ...]:  # fmt: skip
    found = []
    for step in steps:
        earlier = [(year, shares[step.code]) for year, shares in sorted(past.items()) if step.code in shares]
        if earlier:
            years = (*earlier, (annee, step.insatisfaits))
            found.append(Evolution(step.code, step.court, years, independent(step.insatisfaits, earlier[-1][1])))
    return tuple(found)
