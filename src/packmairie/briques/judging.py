# SPDX-License-Identifier: GPL-3.0-or-later
"""How answers become verdicts: the rules that every brique's checks share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from packmairie.model.probe import (
    Absent,
    Answer,
    Certificate,
    DnsAnswer,
    Found,
    Unanswered,
    Verdict,
    conforme,
    non_conforme,
    non_verifie,
)

CERTIFICATE_WARNING_DAYS = 14
"""Renewal starts thirty days before the end; two weeks later, it has failed for long enough to be told."""


def require_answer(answer: Answer, judge: Callable[[Any], Verdict], remedy: str) -> Verdict:
    """Given an answer, judge what was found; absent is a failure with ``remedy``, no answer is *non vérifié*."""
    match answer:
        case Found(value):
            return judge(value)
        case Absent(reason):
            return non_conforme(reason, remedy)
        case Unanswered(reason):
            return non_verifie(reason)


def normal_value(value: str) -> str:
    """Return a record's value in the form in which two equal values are equal texts."""
    return re.sub(r"\s+", " ", value.strip())


def expect_values(answer: Answer, expected: Iterable[str], remedy: str) -> Verdict:
    """Compare a record set with the wished one: all of it, and nothing else."""
    wished = {normal_value(value) for value in expected}

    def compare(value: DnsAnswer) -> Verdict:
        found = {normal_value(text) for text in value.values}
        shown = " | ".join(sorted(found))
        return conforme(shown) if found == wished else non_conforme(shown, remedy)

    return require_answer(answer, compare, remedy)


def judge_certificate(answer: Answer, host: str, remedy: str, now: datetime | None = None) -> Verdict:
    """A certificate is trusted, names its host, and lasts two weeks more."""

    def judge(certificate: Certificate) -> Verdict:
        moment = now or datetime.now(UTC)
        left = certificate.not_after - moment
        shown = f"{host} : expire le {certificate.not_after:%d/%m/%Y} (émis par {certificate.issuer})"
        if left.total_seconds() <= 0:
            return non_conforme(f"certificat expiré depuis le {certificate.not_after:%d/%m/%Y}", remedy)
        if not certificate.trusted:
            return non_conforme(f"{shown}, refusé : {certificate.reason}", remedy)
        if left.total_seconds() < CERTIFICATE_WARNING_DAYS * 86400:
            return non_conforme(f"{shown}, reste {left.days} jours", remedy)
        return conforme(shown)

    return require_answer(answer, judge, remedy)
