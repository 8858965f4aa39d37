# SPDX-License-Identifier: GPL-3.0-or-later
"""On PostgreSQL: what rows remember by themselves (their transaction, their place) leads from no token to a ballot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_signalement_postgresql import SERVERS, Cluster

ACT = """
import sys; sys.path.insert(0, {tests!r})
import django; django.setup()
from django.core.management import call_command
from django.db import connection
call_command("migrate", verbosity=0)
from sondage_campaigns import answer_all, campaign
from packmairie.portail.sondage.depouillement import count
from packmairie.portail.sondage.models import Campagne

made, key = campaign(30)
done = answer_all(made, 3)

def rows(table, where="true"):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, xmin::text::bigint FROM {{table}} WHERE {{where}} ORDER BY ctid")
        return cursor.fetchall()

def told():
    ballots, used = rows("sondage_bulletin"), rows("sondage_invitation", "utilise")
    # A ballot is stored in a savepoint of the transaction that marks its token: the number that follows.
    linked = sum(any(0 <= ballot[1] - one[1] <= 1 for ballot in ballots) for one in used)
    return len(ballots), len(used), len({{one[1] for one in used}}), linked, [one[0] for one in ballots]

before = told()
call_command("portail_menage", stdout=sys.stderr)
after = told()
same = set(before[4]) == set(after[4])
print(before[:4], after[:4], after[4] == sorted(after[4]), before[4] == sorted(before[4]), same)
Campagne.objects.filter(pk=made.pk).update(etat="close"); made.refresh_from_db()
number, kept = count(made, key), rows("sondage_reponseanonyme")
names = [row[0] for row in kept]
print(number, told()[0], len({{row[1] for row in kept}}), names == sorted(names))
with connection.cursor() as cursor:
    cursor.execute("SELECT pg_relation_size('sondage_bulletin')")
    print(cursor.fetchone()[0])
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not SERVERS:
        pytest.skip("PostgreSQL n'est pas installé (scripts/install-test-tools) : mélange des urnes non vérifié")
    if os.geteuid() != 0:
        pytest.skip("le compte postgres ne s'emprunte qu'en root : mélange des urnes non vérifié")
    # Outside pytest's folder, which other accounts cannot enter.
    folder = Path("/tmp") / f"packmairie-pg-sondage-{os.getpid()}"
    folder.mkdir()
    try:
        opened = Cluster(folder)
        try:
            yield opened
        finally:
            opened.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_nothing_that_rows_remember_leads_from_a_token_to_a_ballot(cluster: Cluster, tmp_path: Path) -> None:
    settings = tmp_path / "portail.toml"
    settings.write_text(
        f'donnees = "{tmp_path}"\n[base]\nmoteur = "postgresql"\nnom = "portail"\nutilisateur = "portail"\n'
        f'hote = "{cluster.folder}"\n',
        encoding="utf-8",
    )
    environment = os.environ | {
        "PACKMAIRIE_PORTAIL": str(settings),
        "DJANGO_SETTINGS_MODULE": "packmairie.portail.projet.settings",
    }
    script = ACT.format(tests=str(Path(__file__).parents[1] / "unit"))
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    mixed, counted, size = done.stdout.strip().splitlines()
    # Before, each token leads to its ballot, which is what there is to mend; after, one transaction wrote them all.
    assert mixed == "(30, 30, 30, 30) (30, 30, 1, 30) True False True"
    assert counted == "30 0 1 True"
    assert size == "0"
