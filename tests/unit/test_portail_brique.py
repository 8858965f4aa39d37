# SPDX-License-Identifier: GPL-3.0-or-later
"""The briques ``signalement`` and ``sondage``: what they wish of the portal, and how its answers are judged."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from core_samples import commune, pack
from pydantic import ValidationError

from packmairie.briques.portail import PORTAL_SERVICES, channel_address, judge_page, judge_services
from packmairie.briques.presence_site import site_data
from packmairie.briques.signalement import KEY_FILE, PORTAL_KEY, Signalement
from packmairie.briques.signalement_checks import judge_cell, judge_channel, judge_clocks, judge_log, judge_oldest
from packmairie.briques.sondage import Sondage
from packmairie.engines import portal
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.model.probe import Absent, Check, Found, HostFacts, HttpGet, Page, Unanswered, Verdict
from packmairie.model.probes_portail import CellFacts, PortalFacts, PortalReading
from packmairie.operations.status import preuve_of

CELL = CellFacts("Cellule (exemple)", 2, 1, 4, 0, 0, 1, 3, 0, 0, 0, sound=True)
FACTS = PortalFacts((CELL,), {"62708": ("ordinaire", CELL.name)})


def portal_pack(groups: tuple[str, ...] = ("dns", "frontal", "messagerie", "portail"), **changes: Any) -> Pack:
    """A pack of one host, which also plays ``portail``."""
    base = pack()
    host = next(iter(base.file.plateforme.hotes))
    plain = base.model_dump(mode="python")
    plain["file"]["plateforme"]["hotes"] = {host: plain["file"]["plateforme"]["hotes"][host]}
    plain["file"]["plateforme"]["hotes"][host]["groupes"] = list(groups)
    plain["file"]["portail"] |= changes
    return Pack.model_validate(plain)


def checks(someone: Commune, of: Pack) -> dict[str, Check]:
    return {check.name: check for check in Signalement().checks(someone, of)}


def test_a_pack_without_a_portal_wishes_nothing_and_proves_nothing() -> None:
    plain = pack()
    for brique in (Signalement(), Sondage()):
        assert brique.variables(plain) == {}
        assert brique.platform_records(plain, {}) == ()
        assert brique.platform_tenant(plain, {}) == ()
        assert brique.platform_secrets(plain) == ()
        assert brique.platform_checks(plain) == ()
        assert brique.checks(commune(), plain) == ()
    assert channel_address(commune(), plain) == ""


def test_the_portal_has_its_name_its_key_and_its_folder() -> None:
    here = portal_pack()
    name = f"portail.{here.file.plateforme.domaine}"
    assert next((record.name, record.type) for record in Signalement().platform_records(here, {})) == ("portail", "A")
    trees = {tree.name: tree for tree in Signalement().platform_tenant(here, {PORTAL_KEY: "k" * 24})}
    (key,) = trees["portail"].files
    assert (key.path, key.mode, key.group, key.secret, key.text()) == (
        KEY_FILE,
        "0640",
        "portail",
        True,
        "k" * 24 + "\n",
    )
    assert [file.path for file in trees["frontal"].files] == [f"/srv/communes/{name}/.admis"]
    variables = Signalement().variables(here)
    assert variables["frontal"] == {"frontal_portal_name": name}
    assert "k" * 24 not in json.dumps(variables)


def test_a_name_that_is_elsewhere_is_served_and_not_published() -> None:
    there = portal_pack(nom="signalement.cdg.example")
    assert Signalement().platform_records(there, {}) == ()
    assert there.portal_name() == "signalement.cdg.example"


@pytest.mark.parametrize("groups", [("dns", "frontal", "portail"), ("dns", "messagerie", "portail")])
def test_the_portal_needs_the_front_and_the_mail_beside_it(groups: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError):
        portal_pack(groups)


def test_the_site_of_a_commune_leads_to_its_channel() -> None:
    here, someone = portal_pack(), commune()
    assert site_data(someone, here)["signalement"] == f"https://{here.portal_name()}/"
    elsewhere = someone.model_copy(update={"existant": {"signalement": "CdG voisin"}})
    assert site_data(elsewhere, here)["signalement"] == ""
    own = someone.model_copy(
        update={"site": someone.site.model_copy(update={"signalement": "https://signalement.example/"})}
    )
    assert site_data(own, here)["signalement"] == "https://signalement.example/"
    assert set(checks(someone, here)) == {"canal", "cellule", "information"}
    assert checks(elsewhere, here) == {}


def judged(check: Check, answer: object) -> Verdict:
    found = preuve_of("62708", check, dict.fromkeys(check.probes, answer), datetime.now(UTC))  # type: ignore[arg-type]
    return Verdict(found.state, found.measured, found.remedy)


def test_what_is_not_known_is_never_green() -> None:
    here = portal_pack()
    everything = [
        *checks(commune(), here).values(),
        *Signalement().platform_checks(here),
        *Sondage().platform_checks(here),
    ]
    assert len(everything) == 3 + 6 + 1
    for check in everything:
        assert judged(check, Unanswered("délai dépassé")).state is State.NON_VERIFIE, check.name
        assert judged(check, Absent("connexion refusée")).state is State.NON_CONFORME, check.name


def test_the_notice_is_looked_for_on_the_communes_site() -> None:
    here = portal_pack()
    check = checks(commune(), here)["information"]
    assert check.probes == (HttpGet(f"https://www.{commune().domaine.nom}/demarches/"),)
    said = f'<a href="https://{here.portal_name()}/">dispositif de signalement</a>'
    assert judged(check, Found(Page(200, {}, said))).state is State.CONFORME
    assert judged(check, Found(Page(200, {}, "rien"))).state is State.NON_CONFORME
    assert judged(check, Found(Page(404, {}, said))).state is State.NON_CONFORME


def test_channel_and_cell() -> None:
    assert judge_channel(FACTS, "62708").state is State.CONFORME
    assert judge_cell(FACTS, "62708").state is State.CONFORME
    assert judge_channel(FACTS, "59350").state is State.NON_CONFORME
    assert judge_cell(FACTS, "59350").state is State.NON_CONFORME
    for verdict in ("indisponible", "non_adherent", "sans_deport"):
        assert judge_channel(PortalFacts((CELL,), {"62708": (verdict, CELL.name)}), "62708").state is State.NON_CONFORME
    for weak in (replace(CELL, members=1), replace(CELL, custodians=0)):
        assert judge_cell(PortalFacts((weak,), FACTS.communes), "62708").state is State.NON_CONFORME


def test_oldest_clocks_and_log() -> None:
    def with_cell(**changes: Any) -> PortalFacts:
        return PortalFacts((CELL, replace(CELL, **changes)), {})

    assert judge_oldest(FACTS).state is State.CONFORME
    assert judge_oldest(PortalFacts((), {})).state is State.CONFORME
    assert judge_oldest(with_cell(unread_days=15)).state is State.NON_CONFORME
    assert "depuis 9 j" in judge_oldest(with_cell(unacknowledged=1, unacknowledged_days=9)).measured
    assert judge_oldest(with_cell(unacknowledged=1)).state is State.NON_CONFORME
    assert judge_clocks(FACTS).state is State.CONFORME
    found = judge_clocks(with_cell(late=3, late_legal=1))
    assert (found.state, found.measured) == (
        State.NON_CONFORME,
        "1 échéance(s) légale(s) et 2 objectif(s) interne(s) dépassés",
    )
    assert judge_log(FACTS).state is State.CONFORME
    assert judge_log(with_cell(sound=False)).state is State.NON_CONFORME


def test_page_and_services() -> None:
    strict = {
        "content-security-policy": "default-src 'none'", "strict-transport-security": "max-age=1",
        "referrer-policy": "same-origin", "x-content-type-options": "nosniff", "cache-control": "no-store",
    }  # fmt: skip
    assert judge_page(Page(200, strict, "<h1>"), "<h1>").state is State.CONFORME
    for page in (
        Page(502, strict, "<h1>"),
        Page(200, strict, ""),
        Page(200, strict | {"set-cookie": "x"}, "<h1>"),
        *(Page(200, {**strict, name: ""}, "<h1>") for name in strict),
    ):
        assert judge_page(page, "<h1>").state is State.NON_CONFORME
    assert (
        judge_page(Page(200, strict | {"set-cookie": "csrftoken"}, "<h1>"), "<h1>", form=True).state is State.CONFORME
    )
    running = dict.fromkeys(PORTAL_SERVICES, "active")
    assert judge_services(HostFacts({}, running, ())).state is State.CONFORME
    assert judge_services(HostFacts({}, {**running, PORTAL_SERVICES[0]: "failed"}, ())).state is State.NON_CONFORME
    assert judge_services(HostFacts({}, running, ("packmairie-portail-menage.service",))).state is State.NON_CONFORME


def test_the_host_is_believed_only_when_it_answers_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    host = next(iter(portal_pack().file.plateforme.hotes.values()))
    cell = {
        "nom": CELL.name, "membres": 2, "garants": 1, "ouverts": 4, "non_accuses": 0,
        "plus_ancien_non_accuse_jours": 0, "a_lire": 1, "plus_ancien_a_lire_jours": 3, "retards_legaux": 0,
        "retards": 0, "avis": 0, "journal_intact": True,
    }  # fmt: skip
    whole = {"cellules": [cell], "communes": {"62708": {"verdict": "ordinaire", "cellule": CELL.name}}}

    def read(said: object) -> object:
        monkeypatch.setattr(portal, "run_on_host", lambda *_words: said)
        return portal.read_portal(PortalReading("plateforme"), host)

    assert read(Found(json.dumps(whole))) == Found(FACTS)
    broken = [{**whole, "cellules": [{**cell, "retards": None}]}, {"cellules": []}, [], {**whole, "communes": {"x": 1}}]
    for wrong in ("", "null", *map(json.dumps, broken)):
        assert isinstance(read(Found(wrong)), Unanswered), wrong
    assert read(Unanswered("SSH")) == Unanswered("SSH")


def test_the_laid_configuration_is_one_that_the_portal_reads() -> None:
    from packmairie.portail.projet.configuration import Configuration

    template = Path(__file__).parents[2] / "roles/portail/templates/portail/etc/packmairie/portail/portail.toml.j2"
    text = template.read_text(encoding="utf-8")
    text = text.replace("{{ portail_name }}", "portail.example").replace("{{ portail_sender }}", "x@example")
    read = Configuration.model_validate(tomllib.loads(text))
    assert (read.https, read.base.moteur, read.hotes) == (True, "postgresql", ("portail.example",))
    assert str(read.fichier_cle) == KEY_FILE
