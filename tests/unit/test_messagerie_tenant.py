# SPDX-License-Identifier: GPL-3.0-or-later
"""The mail hosts' files for a commune: who receives, who logs in, who writes as whom."""

from __future__ import annotations

from typing import Any

import pytest

from packmairie.briques.messagerie_tenant import PRIVATE_KEY_FIELD, platform_trees, tenant_trees
from packmairie.model.commune import Commune
from packmairie.model.pack import Pack, PackFile
from packmairie.model.problem import PackmairieError
from packmairie.model.tree import Tree, merge_trees

DOMAIN = "riencourt-les-bapaume.fr"
HASH = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=4$c2VsLXBvdXItbGVzLXRlc3Rz$ZW1wcmVpbnRl+x/y"
KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
HOSTILE_NAME = 'Anne "la Maire" : %{user} $HOME `id` \\ {{ secret }}'


def pack() -> Pack:
    return Pack(
        folder="inventories/essai",
        file=PackFile.model_validate(
            {
                "nom": "Essai",
                "operateur": {"nom": "CdG", "courriel": "pack@example.org"},
                "plateforme": {
                    "domaine": "pack.example",
                    "ipv4": ["192.0.2.10"],
                    "serveurs_dns": {"ns1": ["192.0.2.10"]},
                    "hotes": {"plateforme": {"adresse": "192.0.2.10", "groupes": ["dns", "frontal", "messagerie"]}},
                },
            }
        ),
        communes=(),
    )


def commune(**changes: Any) -> Commune:
    base: dict[str, Any] = {
        "insee": "62708",
        "nom": "Riencourt-lès-Bapaume",
        "departement": "62",
        "siren": "216207084",
        "siret": "21620708400011",
        "codes_postaux": ["62450"],
        "population": 50,
        "millesime": 2026,
        "latitude": 50.0,
        "longitude": 2.9,
        "domaine": {"nom": DOMAIN, "dns": "externe"},
        "agents": [
            {"identifiant": "anne.maire", "nom": HOSTILE_NAME, "quota_mo": 200},
            {"identifiant": "bruno", "nom": "Bruno"},
        ],
        "messagerie": {"alias": {"mairie": ["contact"], "maire": ["anne.maire"], "conseil": ["anne.maire", "bruno"]}},
    }
    return Commune.model_validate({**base, **valid_numbers(base), **changes})


def valid_numbers(base: dict[str, Any]) -> dict[str, str]:
    """Return a SIREN and SIRET whose check digits are right."""
    siren = with_check_digit(base["siren"][:8])
    return {"siren": siren, "siret": with_check_digit(siren + "0001")}


def with_check_digit(digits: str) -> str:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 if position % 2 else 2)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


def vault(*logins: str, **extra: Any) -> dict[str, Any]:
    secrets: dict[str, Any] = {
        f"messagerie.boites.{login}": {"mot_de_passe": "canari", "empreinte": HASH} for login in logins
    }
    return (
        secrets
        | {"messagerie.dkim.pm1": {PRIVATE_KEY_FIELD: KEY}, "messagerie.dkim.pm2": {PRIVATE_KEY_FIELD: KEY}}
        | extra
    )


FULL_VAULT = vault("anne.maire", "bruno", "sonde")


def texts(trees: tuple[Tree, ...]) -> dict[str, str]:
    return {file.path: file.text() for tree in trees for file in tree.files}


def pairs(text: str) -> dict[str, str]:
    """Read a map as Postfix does: first word, then the rest."""
    return dict(line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))


def test_three_trees_for_one_group() -> None:
    trees = tenant_trees(commune(), pack(), FULL_VAULT)
    assert [(tree.name, tree.group) for tree in trees] == [
        (name, "messagerie") for name in ("postfix", "dovecot", "rspamd")
    ]


def test_existing_mail_is_left_alone() -> None:
    assert tenant_trees(commune(existant={"messagerie": "OVH"}), pack(), {}) == ()


def test_boxes_and_aliases() -> None:
    files = texts(tenant_trees(commune(), pack(), FULL_VAULT))
    assert pairs(files["/etc/postfix/communes/domaines"]) == {DOMAIN: "62708"}
    assert set(pairs(files["/etc/postfix/communes/boites"])) == {
        f"{box}@{DOMAIN}" for box in ("anne.maire", "bruno", "contact", "sonde")
    }
    assert pairs(files["/etc/postfix/communes/alias"]) == {
        f"abuse@{DOMAIN}": f"contact@{DOMAIN}",
        f"postmaster@{DOMAIN}": f"contact@{DOMAIN}",
        f"mairie@{DOMAIN}": f"contact@{DOMAIN}",
        f"maire@{DOMAIN}": f"anne.maire@{DOMAIN}",
        f"conseil@{DOMAIN}": f"anne.maire@{DOMAIN}, bruno@{DOMAIN}",
    }


def test_who_may_send_as_whom() -> None:
    files = texts(tenant_trees(commune(), pack(), FULL_VAULT))
    senders = pairs(files["/etc/postfix/communes/expediteurs"])
    everyone = f"anne.maire@{DOMAIN}, bruno@{DOMAIN}"
    assert senders[f"contact@{DOMAIN}"] == f"{everyone}, sonde@{DOMAIN}"
    assert senders[f"mairie@{DOMAIN}"] == everyone
    assert senders[f"maire@{DOMAIN}"] == f"anne.maire@{DOMAIN}"
    assert senders[f"sonde@{DOMAIN}"] == f"sonde@{DOMAIN}"
    written = pairs(files["/etc/rspamd/communes/expediteurs.map"])
    assert set(written[f"sonde@{DOMAIN}"].split(",")) == {f"contact@{DOMAIN}", f"sonde@{DOMAIN}"}
    assert f"maire@{DOMAIN}" not in written[f"bruno@{DOMAIN}"].split(",")
    # The envelope rule and the header rule must say the same thing.
    inverse: dict[str, set[str]] = {}
    for address, logins in senders.items():
        for login in logins.split(", "):
            inverse.setdefault(login, set()).add(address)
    assert {login: set(addresses.split(",")) for login, addresses in written.items()} == inverse


def test_no_agent_leaves_contact_to_the_probe() -> None:
    files = texts(tenant_trees(commune(agents=[], messagerie={}), pack(), vault("sonde")))
    senders = pairs(files["/etc/postfix/communes/expediteurs"])
    assert senders == {f"contact@{DOMAIN}": f"sonde@{DOMAIN}", f"sonde@{DOMAIN}": f"sonde@{DOMAIN}"}


def test_accounts_hold_only_hashes_and_contact_has_none() -> None:
    trees = tenant_trees(commune(), pack(), FULL_VAULT)
    files = texts(trees)
    accounts = files[f"/etc/dovecot/communes/{DOMAIN}.passwd"].splitlines()
    assert accounts == [f"{login}@{DOMAIN}:{HASH}" for login in ("anne.maire", "bruno", "sonde")]
    assert "canari" not in "".join(files.values())
    secret = {file.path for tree in trees for file in tree.files if file.secret}
    assert secret == {
        f"/etc/dovecot/communes/{DOMAIN}.passwd",
        f"/var/lib/rspamd/dkim/{DOMAIN}.pm1.key",
        f"/var/lib/rspamd/dkim/{DOMAIN}.pm2.key",
    }


def test_quota_by_box_and_by_single_alias() -> None:
    text = texts(tenant_trees(commune(), pack(), FULL_VAULT))[f"/etc/dovecot/communes/{DOMAIN}.boites"]
    rows = {line.split(":")[0]: line.split(":") for line in text.splitlines()}
    assert all(len(row) == 8 for row in rows.values())
    assert rows[f"maire@{DOMAIN}"][5:] == [f"/var/vmail/{DOMAIN}/anne.maire", "", "userdb_quota_storage_size=200M"]
    assert rows[f"abuse@{DOMAIN}"][5:] == rows[f"contact@{DOMAIN}"][5:]
    assert rows[f"contact@{DOMAIN}"][5] == f"/var/vmail/{DOMAIN}/contact"
    assert "userdb_quota_storage_size=5000M" in rows[f"contact@{DOMAIN}"][7].split()
    assert f"conseil@{DOMAIN}" not in rows


def test_names_reach_no_file() -> None:
    everything = "".join(texts(tenant_trees(commune(), pack(), FULL_VAULT)).values())
    for fragment in ("Anne", '"', "%", "`", "{{", "$HOME"):
        assert fragment not in everything


def test_active_selector() -> None:
    files = texts(tenant_trees(commune(), pack(), FULL_VAULT | {"messagerie.dkim.actif": "pm2"}))
    assert pairs(files["/etc/rspamd/communes/selecteurs.map"]) == {DOMAIN: "pm2"}
    with pytest.raises(PackmairieError, match="sélecteur DKIM actif"):
        tenant_trees(commune(), pack(), FULL_VAULT | {"messagerie.dkim.actif": "../pm1"})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("messagerie.boites.bruno", None, "manque"),
        ("messagerie.boites.bruno", {"mot_de_passe": "x"}, "manque"),
        ("messagerie.boites.bruno", {"empreinte": "en clair"}, "argon2id"),
        ("messagerie.boites.bruno", {"empreinte": HASH + ":0:0::/:"}, "argon2id"),
        ("messagerie.boites.bruno", {"empreinte": HASH + "\nintrus@x:{PLAIN}a"}, "argon2id"),
        ("messagerie.dkim.pm2", {PRIVATE_KEY_FIELD: "rien"}, "PKCS#8"),
        ("messagerie.dkim.pm1", None, "manque"),
    ],
)
def test_a_bad_secret_is_an_error_that_does_not_show_it(name: str, value: Any, reason: str) -> None:
    with pytest.raises(PackmairieError, match=reason) as caught:
        tenant_trees(commune(), pack(), FULL_VAULT | {name: value})
    assert name in str(caught.value)
    assert HASH not in str(caught.value)


def test_platform_receives_roles_and_reports() -> None:
    files = texts(platform_trees(pack(), vault("postmaster")))
    aliases = pairs(files["/etc/postfix/communes/alias"])
    assert {"abuse@pack.example", "dmarc@pack.example", "tlsrpt@pack.example", "root@pack.example"} <= set(aliases)
    assert set(aliases.values()) == {"postmaster@pack.example"}
    assert "contact@pack.example" not in files["/etc/postfix/communes/boites"]


def test_shared_files_keep_one_part_a_commune() -> None:
    merged = merge_trees([*platform_trees(pack(), vault("postmaster")), *tenant_trees(commune(), pack(), FULL_VAULT)])
    boxes = next(file for file in merged["postfix"].files if file.path.endswith("/boites"))
    assert [part.commune for part in boxes.parts] == [None, "62708"]
    assert pairs(boxes.text()).keys() >= {"postmaster@pack.example", f"contact@{DOMAIN}"}
