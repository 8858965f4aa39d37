# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database remembers of the order of things beside what it is told to keep.

PostgreSQL writes into each row the transaction that made it (``xmin``) and where it lies (``ctid``). A token is marked
as used in the transaction that stores its ballot: with both tables, and until the rows are written again, one would
know which sealed ballot came with which token. SQLite stores the ballots by their random key and keeps no such trace.
"""

from __future__ import annotations

from django.db import connection, transaction

from packmairie.portail.sondage.models import Bulletin, Invitation

MIXED = (
    "LOCK TABLE {ballots}, {invitations} IN EXCLUSIVE MODE",
    "CREATE TEMPORARY TABLE melange ON COMMIT DROP AS SELECT * FROM {ballots}",
    "DELETE FROM {ballots}",
    "INSERT INTO {ballots} SELECT * FROM melange ORDER BY id",
    "UPDATE {invitations} SET utilise = utilise",
)


def mix() -> None:
    """Write ballots again by their random keys and all invitations with them, in one transaction; then forget.

    Run every night. A deposit that comes meanwhile waits. On SQLite there is nothing to do.
    """
    if connection.vendor != "postgresql":
        return
    names = {"ballots": Bulletin._meta.db_table, "invitations": Invitation._meta.db_table}
    with transaction.atomic(), connection.cursor() as cursor:
        for line in MIXED:
            cursor.execute(line.format(**names))
    forget()


def forget() -> None:
    """Take from the files what was deleted or written again. Outside a transaction; on SQLite, nothing to do."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for table in (Bulletin._meta.db_table, Invitation._meta.db_table):
            cursor.execute(f"VACUUM FULL {table}")
