# SPDX-License-Identifier: GPL-3.0-or-later
"""The section ``site:`` of a commune's file, the generator's input, and the preview."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from inventory_samples import OEUF, RICH, RIENCOURT, edit, make_pack
from pydantic import BaseModel
from site_samples import FILES, png, write

from packmairie.briques.presence_site import site_data
from packmairie.cli.main import run
from packmairie.inventory.loader import load_pack
from packmairie.model import site as site_model
from packmairie.model.problem import PackmairieError
from packmairie.site_mairie.data import commune_of

SOUND = RICH.replace('existant:\n  presence: "Prestataire d\'exemple"\n', "").partition("  redirections:")[0]


@pytest.fixture
def pack(tmp_path) -> Path:
    folder = make_pack(tmp_path / "pack", "62708")
    (folder / "communes" / RIENCOURT).write_text(SOUND, encoding="utf-8")
    return folder


def test_every_field_is_described():
    for model in vars(site_model).values():
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__module__ == site_model.__name__:
            for name, field in model.model_fields.items():
                assert field.description, f"{model.__name__}.{name}"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("lundi, jeudi", "lundredi", "n'est pas un jour de la semaine"),
        ("9h-12h, 14h-17h30", "12h-9h", "finit avant d'avoir commencé"),
        (
            '      heures: "9h-12h, 14h-17h30"',
            '      heures: "9h-12h"\n    - jours: jeudi\n      heures: 14h-17h',
            "deux fois les heures du jeudi",
        ),
        ("2027-01-02", "2026-01-02", "finit avant d'avoir commencé"),
        ("03 53 01 00 10", "+33 3 53 01 00 10", "un numéro de téléphone français"),
        ("https://www.exemple.fr/salle", "http://www.exemple.fr/salle", "une adresse https://"),
        ("https://www.exemple.fr/salle", "https://a@www.exemple.fr/", "une adresse https://"),
        ("https://marches.exemple.fr/", "javascript:alert(1)", "une adresse https://"),
        ("taux: 62", "taux: 40", "il faut 50 %"),
        ('    audit_par: "Auditeur d\'exemple"\n', "", "sans audit"),
        ('    etat: "partiellement conforme"', '    etat: "conforme"', "n'est pas un choix possible"),
        ("  signalement:", "  blason: image.svg\n  signalement:", "pas de SVG"),
        ("  signalement:", "  blason: ../../etc/passwd.png\n  signalement:", "pas de SVG"),
        ("  signalement:", "  blason: absent.png\n  signalement:", "n'est pas lisible"),
        ("  signalement:", "  couleur: rouge\n  signalement:", "vouliez-vous dire « couleurs »"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(pack, before, after, told):
    edit(pack / "communes" / RIENCOURT, before, after)
    with pytest.raises(PackmairieError) as error:
        load_pack(pack)
    assert told in str(error.value)
    assert f"{RIENCOURT}:" in str(error.value)
    assert " site" in str(error.value)


def test_redirections_are_for_communes_with_a_site_elsewhere(pack):
    edit(
        pack / "communes" / RIENCOURT,
        "site:\n",
        'site:\n  redirections: [{de: "@", vers: "https://www.exemple.fr/"}]\n',
    )
    with pytest.raises(PackmairieError, match="réservées aux communes qui ont un site ailleurs"):
        load_pack(pack)
    (pack / "communes" / RIENCOURT).write_text(RICH, encoding="utf-8")
    assert load_pack(pack).commune("62708").site.redirections[0].de == "@"


def test_coat_of_arms(pack):
    edit(pack / "communes" / RIENCOURT, "  signalement:", "  blason: blason.png\n  signalement:")
    (pack / "blasons").mkdir()
    target = pack / "blasons" / "blason.png"
    for content, told in ((b"<svg/>", "SVG n'est pas accepté"), (png(filler=13_000), "trop gros"), (png(8), "8 × 8")):
        target.write_bytes(content)
        with pytest.raises(PackmairieError, match=told):
            load_pack(pack)
    target.unlink()
    target.symlink_to("/etc/hostname")
    with pytest.raises(PackmairieError, match="est un lien"):
        load_pack(pack)
    target.unlink()
    target.write_bytes(png())
    loaded = load_pack(pack)
    site = commune_of(site_data(loaded.commune("62708"), loaded, target.read_bytes()))
    assert site.blason is not None
    assert (site.blason.name, site.blason.width) == ("blason.png", 32)


def test_defaults_come_from_the_register_and_the_pack(tmp_path):
    pack = load_pack(make_pack(tmp_path / "pack", "62633"))
    data = site_data(pack.commune("62633"), pack)
    assert data["courriel"] == data["accessibilite"]["contact"] == "contact@oeuf-en-ternois.fr"
    assert data["adresse"] == {"voie": "", "complement": "", "code_postal": "62130", "commune": "Œuf-en-Ternois"}
    assert data["hebergeur"]["nom"] == "Essai"
    assert data["accessibilite"]["etat"] == "non conforme"
    assert data["hote"] == "www.oeuf-en-ternois.fr"
    assert json.loads(json.dumps(data)) == data


def test_only_agents_may_write_by_mail(pack):
    loaded = load_pack(pack)
    assert site_data(loaded.commune("62708"), loaded)["editeurs"] == ["secretariat@riencourt-les-bapaume.fr"]


class TestPreview:
    def test_builds(self, pack, tmp_path, capsys):
        elsewhere = write(tmp_path / "secretariat", {**FILES, "documents/faux.pdf": "x"})
        arguments = ["presence", "preview", "62708", "--to", str(tmp_path / "site"), "--pack", str(pack)]
        arguments += ["--content", str(elsewhere)]
        assert run(arguments) == 0
        told = capsys.readouterr()
        assert "www.riencourt-les-bapaume.fr" in told.out
        assert "faux.pdf" in told.err
        assert (tmp_path / "site" / "actualites" / "2026-11-20-fete" / "index.html").exists()
        assert run([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["host"] == "www.riencourt-les-bapaume.fr"

    def test_the_pack_s_own_content_is_judged_with_the_pack(self, pack, tmp_path, capsys):
        arguments = ["presence", "preview", "62708", "--to", str(tmp_path / "site"), "--pack", str(pack)]
        write(pack / "contenu" / "62708", FILES)
        assert run(arguments) == 0
        assert (tmp_path / "site" / "actualites" / "2026-11-20-fete" / "index.html").exists()
        write(pack / "contenu" / "62708", {"documents/faux.pdf": "x"})
        assert run(arguments) == 1
        assert "faux.pdf" in capsys.readouterr().err

    def test_never_replaces_another_folder(self, pack, tmp_path, capsys):
        write(tmp_path / "mes documents", {"important.txt": "x"})
        assert run(["presence", "preview", "62708", "--to", str(tmp_path / "mes documents"), "--pack", str(pack)]) == 1
        assert "autre chose qu'un site" in capsys.readouterr().err
        assert (tmp_path / "mes documents" / "important.txt").exists()

    def test_a_commune_with_a_site_elsewhere_has_none(self, pack, tmp_path, capsys):
        (pack / "communes" / RIENCOURT).write_text(RICH, encoding="utf-8")
        assert run(["presence", "preview", "62708", "--to", str(tmp_path / "site"), "--pack", str(pack)]) == 1
        assert "a déjà un site" in capsys.readouterr().err

    def test_unknown_commune(self, pack, tmp_path, capsys):
        assert run(["presence", "preview", "62633", "--to", str(tmp_path / "site"), "--pack", str(pack)]) == 1
        assert OEUF[:5] in capsys.readouterr().err


def test_the_demo_pack_is_sound_and_says_that_it_is_an_example(request):
    pack = load_pack(request.config.rootpath / "inventories" / "demo")
    for commune in pack.communes:
        assert commune.site.horaires
        assert all("(exemple)" in elu.nom for elu in commune.site.elus)
