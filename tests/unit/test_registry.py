# SPDX-License-Identifier: GPL-3.0-or-later
"""The register of communes: reading, naming, searching, and who may enter a pack."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packmairie.model.pack import Eligibilite
from packmairie.registry.domain import propose_domain
from packmairie.registry.eligibility import Eligible, Refused, assess
from packmairie.registry.search import Rank, did_you_mean, search
from packmairie.registry.slug import fold, slug, with_suffix
from packmairie.registry.table import MILLESIME, by_slug, table

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def row(insee: str, **changes: object):
    return table()[insee]._replace(**changes)


class TestTable:
    def test_counts(self):
        assert len(table()) == 3782
        small = [r for r in table().values() if r.departement in ("59", "62") and r.population < 1000]
        assert len(small) == 905

    def test_types(self):
        riencourt = table()["62708"]
        assert riencourt.nom == "Riencourt-lès-Bapaume"
        assert riencourt.codes_postaux == ("62450",)
        assert riencourt.population == 33
        assert riencourt.latitude == pytest.approx(50.088)

    def test_siren_need_not_follow_the_insee_code(self):
        strangers = [r for r in table().values() if r.siren[3:6] != r.insee[2:] or r.siren[1:3] != r.departement]
        assert strangers

    def test_is_read_only(self):
        with pytest.raises(TypeError):
            table()["62708"] = table()["62633"]  # type: ignore[index]


class TestSlug:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Œuf-en-Ternois", "oeuf-en-ternois"),
            ("Étrœungt", "etroeungt"),
            ("Ô-de-Selle", "o-de-selle"),
            ("L'Orée de Mormal", "l-oree-de-mormal"),
            ("Villeneuve-d’Ascq", "villeneuve-d-ascq"),
            ("Moÿ-de-l'Aisne", "moy-de-l-aisne"),
            ("Ève", "eve"),
            ("Lætitia", "laetitia"),
            ("  -- Œ --  ", "oe"),
        ],
    )
    def test_examples(self, name, expected):
        assert slug(name) == expected
        # A name typed on macOS comes decomposed.
        assert slug(unicodedata.normalize("NFD", name)) == expected

    @given(st.text(max_size=200))
    def test_always_a_label_or_a_refusal(self, text):
        if not fold(text):
            with pytest.raises(ValueError, match="aucune lettre"):
                slug(text)
            return
        label = slug(text)
        assert LABEL.fullmatch(label)
        assert "--" not in label
        assert label.isascii()
        assert slug(label) == label

    @given(st.text(alphabet="abcéèœŒ-' ", min_size=1, max_size=120).filter(fold), st.sampled_from(["59", "62708"]))
    def test_suffix_fits(self, text, suffix):
        label = with_suffix(slug(text), suffix)
        assert LABEL.fullmatch(label)
        assert label.endswith(f"-{suffix}")

    def test_every_commune(self):
        assert all(LABEL.fullmatch(label) for label in by_slug())


class TestSearch:
    @pytest.mark.parametrize(
        ("text", "first"),
        [
            ("oeuf", "62633"),
            ("ŒUF EN TERNOIS", "62633"),
            ("62708", "62708"),
            ("216207084", "62708"),
            ("216 207 084", "62708"),
            ("21620708400015", "62708"),
            ("riencourt les bapaume", "62708"),
            ("riencourtles", "62708"),
            ("bapaume riencourt", "62708"),
            ("o de selle", "80485"),
        ],
    )
    def test_first_answer(self, text, first):
        assert search(text)[0].row.insee == first

    def test_shared_postal_code(self):
        first, *others = [hit.row for hit in search("62130") if hit.rank is Rank.EXACT]
        assert first.insee == "62130"
        assert len(others) == 33
        assert all("62130" in row.codes_postaux for row in others)

    def test_ranks_in_order(self):
        ranks = [hit.rank for hit in search("Saint-Aubin")]
        assert ranks == sorted(ranks)
        assert ranks[0] is Rank.EXACT
        assert {hit.row.insee for hit in search("St Aubin")} == {hit.row.insee for hit in search("Saint-Aubin")}

    def test_near_misses(self):
        assert did_you_mean("riencour-le-bapome")[0].insee == "62708"
        assert did_you_mean("bapome")[0].nom == "Bapaume"
        assert did_you_mean("99999") == []

    @given(st.text(max_size=40))
    def test_never_fails(self, text):
        search(text)


class TestEligibility:
    policy = Eligibilite()

    @pytest.mark.parametrize(
        ("population", "expected"), [(0, Eligible), (999, Eligible), (1000, Refused), (1004, Refused)]
    )
    def test_threshold_is_strict(self, population, expected):
        assert isinstance(assess(row("62708", population=population), self.policy), expected)

    def test_refusal_tells_the_figures(self):
        verdict = assess(row("62708", population=1004), self.policy)
        assert isinstance(verdict, Refused)
        for figure in ("1\u202f004", "1\u202f000", str(MILLESIME)):
            assert figure in verdict.reason

    def test_refusal_tells_every_reason(self):
        verdict = assess(row("80001"), self.policy)
        assert isinstance(verdict, Refused)
        assert len(verdict.reasons) == 2
        assert "département 80" in verdict.reason

    def test_convention_outlives_the_threshold(self):
        assert assess(row("62708", population=1200), self.policy, under_convention=True) == Eligible(
            "déjà sous convention"
        )

    def test_waiver_is_recorded_only_when_needed(self):
        waived = assess(row("62708", population=1200), self.policy, waiver="vote du 3 mars")
        assert waived == Eligible("dérogation : vote du 3 mars", waived=True)
        normal = assess(row("62708"), self.policy, waiver="inutile")
        assert isinstance(normal, Eligible)
        assert not normal.waived

    def test_another_year_proves_nothing(self):
        verdict = assess(row("62708"), Eligibilite(millesime=2030))
        assert isinstance(verdict, Refused)
        assert "2030" in verdict.reason


class TestDomain:
    def test_plain(self):
        assert propose_domain(table()["62633"]) == "oeuf-en-ternois.fr"

    def test_homonyms_take_their_department(self):
        assert propose_domain(table()["59529"]) == "saint-aubin-59.fr"
        assert propose_domain(table()["62742"]) == "saint-aubin-62.fr"

    def test_homonyms_of_one_department_take_their_code(self, monkeypatch):
        first, second = row("62708", nom="Fleury"), row("62633", nom="Fleury")
        monkeypatch.setattr("packmairie.registry.domain.by_slug", lambda: {"fleury": (first, second)})
        assert propose_domain(first) == "fleury-62708.fr"

    def test_no_two_alike(self):
        domains = [propose_domain(r) for r in table().values()]
        assert len(set(domains)) == len(domains)
