# SPDX-License-Identifier: GPL-3.0-or-later
"""A questionnaire as data: a YAML file with a version, checked as a whole, and what answers to it may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from packmairie.model.problem import PackmairieError, Problem, fail

SHIPPED = "relation-cdg"
"""The questionnaire of the relation between collectivités and the CdG."""
LONGEST_TEXT = 2_000
"""Characters of a free answer."""

Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Wording = Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]
Value = str | list[str]
Values = dict[str, Value]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Modality(_Strict):
    """One possible answer. ``sens`` places it on a scale: 2 and 1 favourable, -1 and -2 not; none: off the scale."""

    code: Code
    libelle: Wording
    sens: Literal[2, 1, -1, -2] | None = None


class Line(_Strict):
    """One row of a grid: a step of the relation."""

    code: Code
    libelle: Wording
    court: Wording | None = Field(default=None, description="Libellé court pour les graphiques")

    @property
    def short(self) -> str:
        """Its name in a chart."""
        return self.court or self.libelle


class Question(_Strict):
    """One question: a grid of lines on one scale, a choice of one or of several, or a free text."""

    code: Code
    genre: Literal["grille", "choix", "choix_multiples", "texte"]
    libelle: Wording
    aide: Wording | None = None
    role: Literal["satisfaction", "importance", "usage"] | None = None
    modalites: tuple[Modality, ...] = ()
    lignes: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Question:
        for kind, codes in (("modalités", self.modalites), ("lignes", self.lignes)):
            names = [one.code for one in codes]
            if len(set(names)) < len(names):
                raise ValueError(f"{kind} en double dans « {self.code} »")
        if (self.genre == "grille") != bool(self.lignes):
            raise ValueError(f"« {self.code} » : une grille a des lignes, et elle seule")
        if (self.genre == "texte") == (len(self.modalites) > 1):
            raise ValueError(f"« {self.code} » : deux modalités ou plus, sauf pour un texte")
        if self.role in ("satisfaction", "importance"):
            placed = [m.sens for m in self.modalites if m.sens is not None]
            if placed != [2, 1, -1, -2]:
                raise ValueError(
                    f"« {self.code} » : l'échelle a quatre degrés, du plus au moins favorable, sans milieu"
                )
        return self

    def variables(self) -> tuple[tuple[str, str], ...]:
        """Return (name, wording) of each variable that it fills."""
        if self.genre == "grille":
            return tuple((f"{self.code}.{line.code}", line.libelle) for line in self.lignes)
        return ((self.code, self.libelle),)


class Section(_Strict):
    """Questions that stand on one page of the form."""

    titre: Wording
    questions: tuple[Question, ...] = Field(min_length=1)


class Questionnaire(_Strict):
    """Everything that is asked. A change of wording is a new ``version``: years are compared by code."""

    identifiant: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    version: int = Field(ge=1)
    titre: Wording
    introduction: Annotated[str, StringConstraints(min_length=1, max_length=3_000)]
    sections: tuple[Section, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _whole(self) -> Questionnaire:
        codes = [question.code for question in self.questions()]
        if len(set(codes)) < len(codes):
            raise ValueError("deux questions ont le même code")
        satisfaction, importance = self.with_role("satisfaction"), self.with_role("importance")
        if satisfaction is None:
            raise ValueError("il faut une grille de rôle « satisfaction »")
        if importance is not None:
            strangers = {line.code for line in importance.lignes} - {line.code for line in satisfaction.lignes}
            if strangers:
                raise ValueError(f"importance sans satisfaction : {', '.join(sorted(strangers))}")
        return self

    def questions(self) -> tuple[Question, ...]:
        """Return all questions in order."""
        return tuple(question for section in self.sections for question in section.questions)

    def with_role(self, role: str) -> Question | None:
        """Return the question that has a role, or None."""
        return next((question for question in self.questions() if question.role == role), None)

    def clean(self, section: Section, given: Mapping[str, Sequence[str]]) -> tuple[Values, dict[str, str]]:
        """Given what a form sent for a section, return what is kept of it and what is wrong, by variable.

        No answer is compulsory: forcing one makes false ones. Unknown variables are ignored, unknown answers refused.
        """
        kept: Values = {}
        wrong: dict[str, str] = {}
        for question in section.questions:
            known = {modality.code for modality in question.modalites}
            for name, _wording in question.variables():
                sent = [value for value in given.get(name, ()) if value.strip()]
                if not sent:
                    continue
                if question.genre == "texte":
                    text = "".join(c for c in sent[0] if c in "\n\t" or ord(c) >= 32).strip()
                    if len(text) > LONGEST_TEXT:
                        wrong[name] = f"{len(text)} caractères : {LONGEST_TEXT} au plus."
                    kept[name] = text[:LONGEST_TEXT]
                elif not set(sent) <= known or (question.genre != "choix_multiples" and len(sent) > 1):
                    wrong[name] = "Cette réponse n'est pas dans la liste : choisissez-en une."
                else:
                    kept[name] = sorted(set(sent)) if question.genre == "choix_multiples" else sent[0]
        return kept, wrong


def parse(text: str, place: str) -> Questionnaire:
    """Return the questionnaire written in YAML. Raise PackmairieError with every fault, ``place`` naming the file."""
    try:
        return Questionnaire.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = "" if mark is None else f":{mark.line + 1}"
        raise fail(f"{place}{line}", "ce n'est pas du YAML", "corriger la ligne indiquée") from None
    except ValidationError as error:
        raise PackmairieError(
            Problem(
                place, f"{'.'.join(map(str, e['loc'])) or 'questionnaire'} : {e['msg']}", "corriger le questionnaire"
            )
            for e in error.errors()
        ) from None


@cache
def shipped(name: str = SHIPPED) -> Questionnaire:
    """Return a questionnaire that comes with packmairie."""
    path = Path(__file__).with_name(f"{name}.yml")
    return parse(path.read_text(encoding="utf-8"), path.name)
