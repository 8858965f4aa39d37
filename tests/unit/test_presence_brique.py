# SPDX-License-Identifier: GPL-3.0-or-later
"""What the brique ``presence`` wants of DNS and of the hosts, and what it refuses."""

from __future__ import annotations

import json
import plistlib
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from core_samples import commune, pack

from packmairie.briques.presence import TRANSPORT_MAP, Presence, code_files
from packmairie.briques.presence_clients import apple, client_settings, outlook, thunderbird
from packmairie.model.commune import SITE_LOCAL_PART
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import SecretKind, placeholder
from packmairie.model.tree import merge_trees
from packmairie.operations import desired
from packmairie.operations.variables import group_variables
from packmairie.site_hote import mailroom

DOMAIN = "riencourt-les-bapaume.fr"
ELSEWHERE = {"presence": "Prestataire d'exemple"}
SECRETS = {"presence.cle_webmail": placeholder(SecretKind.PASSWORD)}
BRIQUE = Presence()


def records(town, **changes):
    return {(r.name, r.type): r.values for r in BRIQUE.records(town, pack(town, **changes))}


def files(town, **changes):
    trees = merge_trees(BRIQUE.tenant(town, pack(town, **changes), {}))
    return {file.path: file for tree in trees.values() for file in tree.files}


class TestRecords:
    def test_a_deployed_site(self):
        found = records(commune())
        assert found["", "A"] == ("192.0.2.10",)
        assert found["www", "CNAME"] == ("web.pack.example.",)
        assert found["autoconfig", "CNAME"] == ("web.pack.example.",)
        assert found["autodiscover", "A"] == ("192.0.2.10",)
        assert found["_autodiscover._tcp", "SRV"] == (f"0 0 443 autodiscover.{DOMAIN}.",)
        assert ("", "AAAA") not in found

    def test_both_families_of_addresses(self):
        found = records(commune(), plateforme={"ipv6": ["2001:db8::10"]})
        assert found["", "AAAA"] == found["autodiscover", "AAAA"] == ("2001:db8::10",)

    def test_a_service_record_leads_to_no_alias(self):
        found = records(commune())
        target = found["_autodiscover._tcp", "SRV"][0].split()[-1].removesuffix(f".{DOMAIN}.")
        assert (target, "CNAME") not in found
        assert (target, "A") in found

    def test_a_site_elsewhere_has_only_the_names_it_asks_for(self):
        assert not {("", "A"), ("www", "CNAME")} & set(records(commune(existant=ELSEWHERE)))
        site = {"redirections": [{"de": "@", "vers": "https://exemple.fr/"}]}
        found = records(commune(existant=ELSEWHERE, site=site))
        assert ("", "A") in found
        assert ("www", "CNAME") not in found

    def test_nothing_when_nothing_is_ours(self):
        assert (
            records(commune(existant={**ELSEWHERE, "messagerie": "Autre"}, domaine={"nom": DOMAIN, "dns": "externe"}))
            == {}
        )

    @pytest.mark.parametrize(
        "kept",
        [
            {"nom": "@", "type": "A", "valeurs": ["198.51.100.1"]},
            {"nom": "@", "type": "AAAA", "valeurs": ["2001:db8::9"]},
            {"nom": "www", "type": "CNAME", "valeurs": ["ailleurs.example."]},
        ],
    )
    def test_a_name_cannot_lead_to_two_places(self, kept):
        town = commune(domaine={"nom": DOMAIN, "enregistrements": [kept]})
        with pytest.raises(ValueError, match="existant"):
            BRIQUE.records(town, pack(town))
        elsewhere = commune(domaine={"nom": DOMAIN, "enregistrements": [kept]}, existant=ELSEWHERE)
        BRIQUE.records(elsewhere, pack(elsewhere))

    def test_the_webmail_has_a_name(self):
        (record,) = BRIQUE.platform_records(pack(), SECRETS)
        assert (record.name, record.type) == ("webmail", "A")


class TestFiles:
    def test_what_a_deployed_commune_gets(self):
        assert set(files(commune())) == {
            "/var/lib/packmairie/sites/62708.json",
            f"/etc/packmairie/webmail/communes/{DOMAIN}.json",
            TRANSPORT_MAP,
            f"/srv/communes/{DOMAIN}/.vers-www",
            f"/srv/communes/autoconfig.{DOMAIN}/mail/config-v1.1.xml",
            f"/srv/communes/autoconfig.{DOMAIN}/apple.mobileconfig",
            f"/srv/communes/autodiscover.{DOMAIN}/autodiscover/autodiscover.xml",
        }

    def test_each_belongs_to_the_commune(self):
        for file in files(commune()).values():
            assert {part.commune for part in file.parts} == {"62708"}

    def test_a_site_elsewhere_is_redirected_and_not_built(self):
        site = {"redirections": [{"de": "www", "vers": "https://exemple.fr/accueil"}]}
        found = files(commune(existant=ELSEWHERE, site=site))
        assert found[f"/srv/communes/www.{DOMAIN}/.redirection"].text() == "https://exemple.fr/accueil\n"
        assert not [path for path in found if path.startswith("/var/lib/packmairie/sites")]
        assert TRANSPORT_MAP not in found

    def test_the_address_by_which_a_site_is_edited(self):
        assert files(commune())[TRANSPORT_MAP].parts[0].content == f"site@{DOMAIN} sites:\n"

    def test_no_such_address_where_mail_is_elsewhere_or_on_another_host(self):
        other = commune(existant={"messagerie": "Autre"}, domaine={"nom": DOMAIN, "dns": "externe"})
        assert TRANSPORT_MAP not in files(other)
        hosts = {
            "plateforme": {"groupes": ["dns", "frontal"]},
            "courrier": {"adresse": "192.0.2.12", "groupes": ["messagerie"]},
        }
        assert TRANSPORT_MAP not in files(commune(), plateforme={"hotes": hosts})

    def test_that_address_is_the_one_that_the_web_host_follows(self):
        assert SITE_LOCAL_PART == mailroom.SITE_LOCAL_PART

    def test_the_first_files_of_a_site_are_sent_as_they_are(self):
        town = commune()
        contents = {"62708": {"documents/a.pdf": "/pack/a.pdf"}, "62633": {"x": "/y"}}
        trees = BRIQUE.tenant(town, pack(town).model_copy(update={"contents": contents}), {})
        (file,) = [file for tree in trees for file in tree.files if "initiaux" in file.path]
        assert file.path == "/var/lib/packmairie/contenus-initiaux/62708/documents/a.pdf"
        assert file.payload()["parts"] == [{"commune": "62708", "content": "", "source": "/pack/a.pdf"}]

    def test_the_coat_of_arms_comes_with_the_pack(self):
        image = (Path(__file__).parents[2] / "inventories/demo/blasons/exemple.png").read_bytes()
        town = commune(site={"blason": "exemple.png"})
        trees = BRIQUE.tenant(town, pack(town).model_copy(update={"coats": {"62708": image}}), {})
        (tree,) = [tree for tree in trees if tree.name == "presence"]
        assert json.loads(tree.files[0].text())["blason"]["extension"] == "png"

    def test_the_data_is_the_generator_s(self):
        data = json.loads(files(commune())["/var/lib/packmairie/sites/62708.json"].text())
        assert data["hote"] == f"www.{DOMAIN}"
        assert data["editeurs"] == [f"secretariat@{DOMAIN}"]

    def test_the_webmail_knows_the_commune(self):
        shown = json.loads(files(commune())[f"/etc/packmairie/webmail/communes/{DOMAIN}.json"].text())
        assert shown["titre"] == "Mairie de Riencourt-lès-Bapaume"
        assert shown["contact"] == f"contact@{DOMAIN}"
        assert re.fullmatch(r"#[0-9a-f]{6}", shown["couleur"])

    def test_the_platform_s_part(self):
        trees = merge_trees(BRIQUE.platform_tenant(pack(), SECRETS))
        assert trees["postfix"].files[0].text() == "# >>> plateforme\n"
        (key,) = trees["webmail"].files
        assert key.secret
        assert key.mode == "0640"

    @pytest.mark.parametrize("key", ["court", "x" * 23 + "'", "x" * 25])
    def test_a_key_that_would_break_the_file_is_refused(self, key):
        with pytest.raises(PackmairieError, match="régénérer"):
            BRIQUE.platform_tenant(pack(), {"presence.cle_webmail": key})

    def test_the_generator_is_sent_whole(self):
        paths = {file.path for file in code_files()}
        assert "/usr/local/lib/packmairie/site_mairie/__main__.py" in paths
        assert "/usr/local/lib/packmairie/site_mairie/templates/base.html.j2" in paths
        assert "/usr/local/lib/packmairie/site_hote/builder.py" in paths

    def test_one_more_commune_changes_nothing_of_the_others(self):
        one, two = commune(), commune("62633")
        alone, together = pack(one), pack(one, two)
        before = desired.trees(alone, desired.offline_secrets(alone))
        after = desired.trees(together, desired.offline_secrets(together))
        for name in ("frontal", "presence", "webmail"):
            kept = {file.path: file for file in after[name].files}
            assert all(kept[file.path] == file for file in before[name].files)


class TestMailPrograms:
    settings = client_settings(commune(), pack(commune()), "webmail.pack.example")

    def test_thunderbird(self):
        root = ElementTree.fromstring(thunderbird(self.settings))
        assert [server.findtext("port") for server in root.iter("outgoingServer")] == ["465", "587"]
        assert root.findtext(".//incomingServer/username") == "%EMAILADDRESS%"

    @pytest.mark.parametrize("render", [outlook, apple])
    def test_nothing_of_the_pack_is_read_as_a_template(self, render):
        town = commune(nom="A {{ env }} & <b>")
        settings = client_settings(town, pack(town, operateur={"nom": "{{ .Req }} <&>"}), "webmail.pack.example")
        text = render(settings)
        assert "{{ env" not in text
        assert "{{ .Req }}" not in text
        ElementTree.fromstring(filled(text))

    def test_apple_with_and_without_an_address(self):
        text = apple(self.settings)
        account = plistlib.loads(filled(text, f"a@{DOMAIN}").encode())["PayloadContent"][0]
        assert account["EmailAddress"] == f"a@{DOMAIN}"
        assert "EmailAddress" not in plistlib.loads(filled(text).encode())["PayloadContent"][0]

    def test_the_address_is_matched_literally(self):
        (pattern,) = set(re.findall(r'regexFind "([^"]*)"', outlook(self.settings)))
        assert re.search(pattern, f"<E>secretariat@{DOMAIN}</E>")
        assert not re.search(pattern, f"secretariat@{DOMAIN.replace('.', 'x')}")
        assert re.search(pattern, f"<x>'\"@{DOMAIN}") is None


def filled(text: str, address: str = "") -> str:
    """Return a file as Caddy gives it, with or without an address."""
    with_address = re.compile(r"\{\{ with \([^\n]*?\) \}\}(.*?)\{\{ end \}\}", re.DOTALL)
    return with_address.sub(lambda found: found[1].replace("{{ . }}", address) if address else "", text)


def test_variables_of_the_web_host():
    variables = group_variables(pack(), None)["frontal"]  # type: ignore[arg-type]
    assert variables["frontal_webmail_name"] == "webmail.pack.example"
    assert variables["webmail_client_name"] == "mail.pack.example"
    assert variables["presence_addresses"] == ["192.0.2.10"]
