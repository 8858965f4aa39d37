# SPDX-License-Identifier: GPL-3.0-or-later
"""The brique ``partage``: what it wishes, and how its answers are judged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_samples import commune, pack

from packmairie.briques.partage import Partage, refuse_full_lots
from packmairie.briques.partage_checks import (
    judge_deposits,
    judge_disk,
    judge_links,
    judge_quota,
    judge_signatures,
    judge_trip,
)
from packmairie.briques.partage_tenant import NOBODY, PLACEHOLDER, account_hash, limits_text, lot_of, salt_of, volumes
from packmairie.model.commune import Agent, Commune
from packmairie.model.pack import Pack
from packmairie.model.preuve import State
from packmairie.model.probe import Absent, Found, Page, Unanswered
from packmairie.model.probes_partage import FilesHostFacts, FileTrip, Space
from packmairie.model.problem import PackmairieError
from packmairie.model.secret import SecretKind, placeholder

GIGA = 1_000_000_000


def sharing(**changes: Any) -> Pack:
    """A pack whose host also plays ``partage``."""
    base = pack()
    host = next(iter(base.file.plateforme.hotes))
    plain = base.model_dump(mode="python")
    plain["file"]["plateforme"]["hotes"] = {host: plain["file"]["plateforme"]["hotes"][host]}
    plain["file"]["plateforme"]["hotes"][host]["groupes"] = ["dns", "frontal", "messagerie", "partage"]
    plain["file"]["partage"] |= changes
    return Pack.model_validate(plain)


def peopled() -> Commune:
    """A commune with an agent, an élu, and a secretary who is of both."""
    people = [
        Agent(identifiant="agent.exemple", nom="Agent (exemple)"),
        Agent(identifiant="elu.exemple", nom="Élu (exemple)", groupes=["elus"]),
        Agent(identifiant="secretariat", nom="Secrétariat (exemple)", groupes=["agents", "elus"]),
    ]
    return commune().model_copy(update={"agents": people})


def kept(someone: Commune) -> dict[str, Any]:
    names = [*(agent.identifiant for agent in someone.agents), "sonde"]
    return {f"messagerie.boites.{name}": {"mot_de_passe": f"secret {name}", "empreinte": "x"} for name in names}


def sections(text: str) -> dict[str, dict[str, str]]:
    """Return the rights of each volume of a configuration, by its URL."""
    read: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n")[1:]:
        lines = [line.strip() for line in block.splitlines()]
        start = lines.index("accs:")
        end = lines.index("flags:") if "flags:" in lines else len(lines)
        read[lines[0].strip("[]")] = dict(line.split(": ", 1) for line in lines[start + 1 : end])
    return read


def test_a_pack_without_a_file_host_wishes_nothing() -> None:
    brique, plain, someone = Partage(), pack(), commune()
    assert brique.records(someone, plain) == ()
    assert brique.tenant(someone, plain, {}) == ()
    assert brique.platform_tenant(plain, {}) == ()
    assert brique.checks(someone, plain) == ()
    assert brique.platform_checks(plain) == ()


def test_its_name_is_in_the_communes_own_zone() -> None:
    (record,) = Partage().records(commune(), sharing())
    assert (record.name, record.type) == ("fichiers", "CNAME")


def test_each_space_is_open_to_whom_it_is_promised() -> None:
    someone = peopled()
    rights = sections(volumes(someone, sharing(), kept(someone)))
    at = f"@{someone.domaine.nom}"
    base = f"/{someone.insee}"
    everybody = f"agent.exemple{at}, elu.exemple{at}, secretariat{at}"
    assert rights[f"{base}/commun"] == {"rwmd": everybody}
    assert rights[f"{base}/elus"] == {"rwmd": f"elu.exemple{at}, secretariat{at}"}
    assert rights[f"{base}/a-archiver"] == {"rwmd": f"agent.exemple{at}, secretariat{at}"}
    assert rights[f"{base}/depot"] == {"rmd": f"agent.exemple{at}, secretariat{at}", "r": f"elu.exemple{at}"}
    assert rights[f"{base}/boite"] == {"w": f"{everybody}, sonde{at}"}
    assert rights[f"{base}/personnel-elu.exemple"] == {"rwmd": f"elu.exemple{at}"}
    assert rights[f"{base}/sonde"] == {"rwmd": f"sonde{at}"}
    assert all(who != "*" for accs in rights.values() for who in accs.values())


def test_no_password_is_in_what_is_laid() -> None:
    someone = peopled()
    trees = Partage().tenant(someone, sharing(), kept(someone))
    text = "".join(file.text() for tree in trees for file in tree.files)
    assert "secret " not in text
    conf = next(file for tree in trees for file in tree.files if file.path.endswith(".conf"))
    assert (conf.mode, conf.group, conf.secret) == ("0640", "partage", True)
    assert json.loads(limits_text(someone, sharing(), 0))["personnes"] == [a.identifiant for a in someone.agents]


def test_a_missing_password_is_told() -> None:
    with pytest.raises(PackmairieError, match="inventory secrets"):
        Partage().tenant(peopled(), sharing(), {})


def test_the_hash_is_copypartys() -> None:
    """What ``copyparty --usernames --ah-alg argon2,1,4,1 --ah-salt … --ah-gen LOGIN:PASSWORD`` printed (1.20.26)."""
    made = account_hash("secretariat@x.fr", "abc", "0123456789abcdef0123456789abcdef")
    assert made == "+Q6zrk9wztSiC4ZbnhLqhWBqCf6DMNu7p"
    assert len(salt_of(sharing())) == 32


def test_nothing_is_hashed_without_a_vault() -> None:
    made = placeholder(SecretKind.MAILBOX)
    assert isinstance(made, dict)
    assert made["mot_de_passe"] == PLACEHOLDER
    someone = peopled()
    known = dict.fromkeys(kept(someone), made)
    assert volumes(someone, sharing(), known).count(NOBODY) == len(known)


def test_more_lots_move_few_communes() -> None:
    codes = [f"{62000 + number}" for number in range(905)]
    before, after = [lot_of(code, 36) for code in codes], [lot_of(code, 40) for code in codes]
    moved = sum(old != new for old, new in zip(before, after, strict=True))
    assert moved < 905 * 0.15
    assert all(new >= 36 for old, new in zip(before, after, strict=True) if old != new)
    assert max(before.count(lot) for lot in range(36)) <= 40


def test_a_lot_too_full_is_refused_with_a_number_that_suits() -> None:
    full = sharing()
    many = tuple(commune().model_copy(update={"insee": f"{62000 + number}"}) for number in range(41))
    with pytest.raises(PackmairieError, match=r"partage\.lots: 2"):
        refuse_full_lots(full.model_copy(update={"communes": many}))


class TestJudges:
    def test_a_trip_tells_its_failing_step(self) -> None:
        assert judge_trip(FileTrip({"connexion": 0.1}), "r").state is State.CONFORME
        failed = judge_trip(FileTrip({"connexion": 0.1}, "dépôt", "réponse 507"), "r")
        assert failed.state is State.NON_CONFORME
        assert "dépôt : réponse 507" in failed.measured

    @pytest.mark.parametrize(
        ("lasting", "ended", "state"),
        [
            (200, 403, State.CONFORME),
            (200, 404, State.CONFORME),
            (200, 200, State.NON_CONFORME),
            (200, 502, State.NON_CONFORME),
            (404, 404, State.NON_CONFORME),
            (502, 502, State.NON_CONFORME),
        ],
    )
    def test_a_refusal_counts_only_beside_a_link_that_answers(self, lasting: int, ended: int, state: State) -> None:
        answers = (Found(Page(lasting, {}, "")), Found(Page(ended, {}, "")))
        assert judge_links(answers, "r").state is state

    def test_a_silent_host_proves_nothing_of_links(self) -> None:
        assert judge_links((Unanswered("muet"), Absent("404")), "r").state is State.NON_VERIFIE

    def test_quota(self) -> None:
        facts = host(spaces={"62708": Space(GIGA, 0, 2 * GIGA), "62633": Space(2 * GIGA - 1, 0, 2 * GIGA)})
        assert judge_quota(facts, "62708").state is State.CONFORME
        assert judge_quota(facts, "62633").state is State.NON_CONFORME
        assert judge_quota(facts, "59001").state is State.NON_CONFORME

    def test_disk_and_deposits(self) -> None:
        assert judge_disk(host(free=50)).state is State.CONFORME
        assert judge_disk(host(free=5)).state is State.NON_CONFORME
        assert judge_deposits(host(held=3, held_seconds=60)).state is State.CONFORME
        assert judge_deposits(host(held=3, held_seconds=3600)).state is State.NON_CONFORME

    def test_laboratory_signatures_pass_only_where_the_pack_says_so(self) -> None:
        stand_in = host(signature_days=None, stand_in=True)
        assert judge_signatures(stand_in, True).state is State.CONFORME
        assert judge_signatures(stand_in, False).state is State.NON_CONFORME
        assert judge_signatures(host(signature_days=None), True).state is State.NON_CONFORME
        assert judge_signatures(host(signature_days=1.0), False).state is State.CONFORME
        assert judge_signatures(host(signature_days=9.0), False).state is State.NON_CONFORME
        assert judge_signatures(host(signature_days=-2.0), False).state is State.NON_VERIFIE


def host(**changes: Any) -> FilesHostFacts:
    """The figures of a host in good health."""
    usual: dict[str, Any] = {
        "spaces": {},
        "free": 50,
        "total": 100,
        "held": 0,
        "held_seconds": 0.0,
        "quarantined": 0,
        "signature_days": 0.5,
        "stand_in": False,
    }
    return FilesHostFacts(**(usual | changes))
