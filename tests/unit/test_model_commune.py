# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commune's file may say, whoever wrote it."""

from __future__ import annotations

import pytest
from core_samples import commune, pack
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from packmairie.model.commune import Commune
from packmairie.model.secret import FIELDS, Secret, SecretKind, placeholder, suits

MX = {"nom": "@", "type": "MX", "valeurs": ["10 mx.ailleurs.example."]}


def reasons(**changes: object) -> str:
    with pytest.raises(ValidationError) as caught:
        commune(**changes)
    return str(caught.value)


class TestDomain:
    @pytest.mark.parametrize(
        "name",
        [
            "Essai.fr",
            "essai",
            "essai.fr.",
            "-essai.fr",
            "essai-.fr",
            "es_sai.fr",
            "essai..fr",
            "1.2.3.4",
            "œuf.fr",
            "a" * 64 + ".fr",
            ".".join(["abcdefgh"] * 29) + ".fr",
            "essai.fr\nx",
            "",
        ],
    )
    def test_refused(self, name):
        assert "domaine" in reasons(domaine={"nom": name})

    @pytest.mark.parametrize("name", ["essai.fr", "x--y.essai.fr", "xn--uf-ema.fr", "62.essai.fr", "a" * 63 + ".fr"])
    def test_accepted(self, name):
        assert commune(domaine={"nom": name}).domaine.nom == name


class TestNumbers:
    @given(st.integers(0, 8), st.integers(1, 9))
    def test_one_wrong_digit_in_a_siren_is_seen(self, place, shift):
        right = commune().siren
        wrong = right[:place] + str((int(right[place]) + shift) % 10) + right[place + 1 :]
        assert "clé de contrôle" in reasons(siren=wrong)

    def test_siret_belongs_to_siren(self):
        assert "ne commence pas par le SIREN" in reasons(siret=commune("62633").siret)

    def test_department_belongs_to_code(self):
        assert "ne correspond pas au code INSEE" in reasons(departement="59")


class TestMail:
    def test_a_managed_zone_needs_the_mx_of_mail_kept_elsewhere(self):
        assert "n'aurait pas de MX" in reasons(existant={"messagerie": "Prestataire"})

    @pytest.mark.parametrize("domain", [{"dns": "externe"}, {"enregistrements": [MX]}])
    def test_which_is_given_or_published_elsewhere(self, domain):
        kept = commune(existant={"messagerie": "Prestataire"}, domaine={"nom": "essai.fr", **domain})
        assert not kept.deploys("messagerie")
        assert kept.deploys("dns")

    @pytest.mark.parametrize("name", ["contact", "sonde", "site", "postmaster", "abuse"])
    def test_an_agent_takes_no_reserved_name(self, name):
        assert f"« {name} » est réservé" in reasons(agents=[{"identifiant": name, "nom": "X"}])

    def test_nor_another_s(self):
        assert "en double" in reasons(agents=[{"identifiant": "a", "nom": "X"}, {"identifiant": "a", "nom": "Y"}])

    @pytest.mark.parametrize(
        ("alias", "told"),
        [
            ({"maire": ["inconnu"]}, "qui n'existe pas"),
            ({"maire": []}, "ne mène à aucune boîte"),
            ({"contact": ["secretariat"]}, "est déjà une boîte"),
            ({"sonde": ["contact"]}, "est déjà une boîte"),
            ({"site": ["contact"]}, "« site » est réservé"),
            ({"secretariat": ["contact"]}, "est déjà une boîte"),
            ({"maire": ["sonde"]}, "qui n'existe pas"),
        ],
    )
    def test_an_alias_leads_somewhere(self, alias, told):
        assert told in reasons(messagerie={"alias": alias})

    @pytest.mark.parametrize("mechanism", ["all", "-all", "include:a b", "redirect=x", "ip4:1.2.3.4 -all", "v=spf1"])
    def test_a_sender_s_mechanism_does_not_end_the_policy(self, mechanism):
        assert "spf" in reasons(messagerie={"spf": [mechanism]})

    def test_an_unknown_brique_is_a_typing_error(self):
        assert "n'est pas une brique" in reasons(existant={"mesagerie": "Prestataire"})


class TestText:
    @pytest.mark.parametrize("text", ["a\nb", "a\0", "\x7f", "a\tb"])
    def test_no_control_character(self, text):
        assert "caractère de contrôle" in reasons(nom=text)

    def test_every_reason_at_once(self):
        told = reasons(departement="59", existant={"x": "y"}, agents=[{"identifiant": "abuse", "nom": "X"}])
        assert all(part in told for part in ("departement", "n'est pas une brique", "réservé"))

    def test_an_unknown_key_is_refused(self):
        assert "extra" in reasons(agent=[]).lower()


class TestPack:
    def test_every_part_has_a_host(self):
        with pytest.raises(ValidationError, match="aucun hôte ne joue dns"):
            pack(plateforme={"hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": ["frontal", "messagerie"]}}})

    def test_an_unknown_commune(self):
        with pytest.raises(KeyError):
            pack(commune()).commune("59529")


class TestSecret:
    def test_is_not_shown_by_its_container(self):
        assert "canari" not in repr({"x": [Secret("canari")]})

    @pytest.mark.parametrize("kind", list(SecretKind))
    def test_a_placeholder_has_the_form_of_its_kind(self, kind):
        assert suits(kind, placeholder(kind))

    @pytest.mark.parametrize("kind", list(SecretKind))
    @pytest.mark.parametrize("value", [None, "", {}, 3, {"cle": "x"}, ["x"]])
    def test_nothing_else_has(self, kind, value):
        assert not suits(kind, value)

    @pytest.mark.parametrize("kind", list(FIELDS))
    def test_every_part_is_needed(self, kind):
        whole = dict(placeholder(kind))
        for part in FIELDS[kind]:
            assert not suits(kind, whole | {part: ""})


def test_a_commune_is_not_changed_by_whoever_holds_it():
    with pytest.raises(ValidationError):
        commune().nom = "Autre"
    assert isinstance(commune(), Commune)
