# SPDX-License-Identifier: GPL-3.0-or-later
"""What the mail hosts need for each commune: Postfix maps, Dovecot accounts, Rspamd keys and rules.

Three trees for the group ``messagerie``, one a service, so that a commune's change reloads only what reads it.
A fourth, ``messagerie``, holds the role's own scripts and certificate units, and nothing of any commune.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from packmairie.briques.contract import Secrets
from packmairie.model.commune import (
    PROBE_LOCAL_PART,
    RESERVED_LOCAL_PARTS,
    SHARED_LOCAL_PART,
    Commune,
)
from packmairie.model.pack import Pack
from packmairie.model.problem import fail
from packmairie.model.secret import FIELDS, SecretKind
from packmairie.model.tree import Part, Tree, TreeFile

GROUP = "messagerie"
SELECTORS = ("pm1", "pm2")
DEFAULT_SELECTOR = "pm1"
PLATFORM_BOX = "postmaster"
PLATFORM_ALIASES = ("abuse", "dmarc", "hostmaster", "mailer-daemon", "root", "tlsrpt")
"""Addresses of the platform's own domain: RFC 2142 roles, report collectors, and the host's own mail."""
PRIVATE_KEY_FIELD = FIELDS[SecretKind.DKIM][0]

POSTFIX_FOLDER = "/etc/postfix/communes"
DOVECOT_FOLDER = "/etc/dovecot/communes"
RSPAMD_FOLDER = "/etc/rspamd/communes"
DKIM_FOLDER = "/var/lib/rspamd/dkim"
MAIL_FOLDER = "/var/vmail"
SHARED_INBOX = "Courrier"
"""The folder of contact@ in which mail arrives; its agents see ``contact/Courrier``."""

_UNSAFE = re.compile(r"[\s:\x00-\x1f\x7f]")
_PRIVATE_KEY = re.compile(r"-----BEGIN PRIVATE KEY-----\n.+\n-----END PRIVATE KEY-----\n?", re.DOTALL)


class _Domain:
    """The addresses of one domain: who has a box, what leads where, who may write as whom."""

    def __init__(self, name: str, commune: str | None, secrets: Secrets) -> None:
        self.name = name
        self.commune = commune
        self.secrets = secrets
        self.boxes: dict[str, int] = {}
        """Quota in MB by local part."""
        self.logins: tuple[str, ...] = ()
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.senders: dict[str, tuple[str, ...]] = {}
        """Logins that may send as a local part."""

    @property
    def place(self) -> str:
        """The name of the vault, for error messages."""
        return f"secrets de {self.commune or 'la plateforme'} ({self.name})"

    def address(self, local: str) -> str:
        """Return the full address of a local part."""
        return f"{local}@{self.name}"

    def trees(self) -> tuple[Tree, ...]:
        """Return the three trees of this domain."""
        return (
            Tree("postfix", GROUP, self._postfix_files()),
            Tree("dovecot", GROUP, self._dovecot_files()),
            Tree("rspamd", GROUP, self._rspamd_files()),
        )

    def _shared(self, path: str, lines: Iterable[str]) -> TreeFile:
        return TreeFile(path, (Part("".join(f"{line}\n" for line in lines), self.commune),), shared=True)

    def _postfix_files(self) -> tuple[TreeFile, ...]:
        """Render texthash maps: ``key whitespace value`` (DATABASE_README, postconf(5))."""
        owner = self.commune or "plateforme"
        boxes = [f"{self.address(box)} {owner}" for box in sorted(self.boxes)]
        aliases = [
            f"{self.address(alias)} {', '.join(self.address(target) for target in targets)}"
            for alias, targets in sorted(self.aliases.items())
        ]
        senders = [
            f"{self.address(local)} {', '.join(self.address(login) for login in logins)}"
            for local, logins in sorted(self.senders.items())
            if logins
        ]
        return (
            self._shared(f"{POSTFIX_FOLDER}/domaines", [f"{self.name} {owner}"]),
            self._shared(f"{POSTFIX_FOLDER}/boites", boxes),
            self._shared(f"{POSTFIX_FOLDER}/alias", aliases),
            self._shared(f"{POSTFIX_FOLDER}/expediteurs", senders),
        )

    def _dovecot_files(self) -> tuple[TreeFile, ...]:
        """Render two passwd-files: who may log in (hashes), and who receives, with what quota.

        They are apart so that the shared box, which receives, has no line that a password could ever match,
        and so that a change of quota is shown in a plan. An alias with one target has a line too: Postfix
        asks Dovecot about the quota of the address before it is rewritten.
        """
        accounts = [f"{self.address(login)}:{self._fingerprint(login)}" for login in self.logins]
        homes = {box: box for box in self.boxes}
        homes |= {alias: targets[0] for alias, targets in self.aliases.items() if len(targets) == 1}
        boxes = [f"{self.address(local)}:::::{self._box(home)}" for local, home in sorted(homes.items())]
        return tuple(
            TreeFile(
                f"{DOVECOT_FOLDER}/{self.name}.{suffix}",
                (Part("".join(f"{line}\n" for line in lines), self.commune),),
                mode="0640",
                group="dovecot",
                secret=secret,
            )
            for suffix, lines, secret in (("passwd", accounts, True), ("boites", boxes, False))
        )

    def _box(self, home: str) -> str:
        """Return the last fields of a box's line: its folder, no shell, and what is its own.

        Dovecot lists no folder named INBOX in the public view that agents have of the shared box: there,
        mail arrives in a folder of another name, which its own quota must then not count a second time.
        """
        fields = [f"userdb_quota_storage_size={self.boxes[home]}M"]
        if home == SHARED_LOCAL_PART:
            fields.append(f"userdb_mail_inbox_path=~/Maildir/.{SHARED_INBOX}")
            fields.append(f"userdb_namespace/inbox/mailbox/{SHARED_INBOX}/quota_ignore=yes")
        return f"{MAIL_FOLDER}/{self.name}/{home}::{' '.join(fields)}"

    def _rspamd_files(self) -> tuple[TreeFile, ...]:
        """Render the DKIM keys, the active selector, and what each login may write in From."""
        allowed: dict[str, list[str]] = {login: [] for login in self.logins}
        for local, logins in sorted(self.senders.items()):
            for login in logins:
                allowed[login].append(self.address(local))
        active = self.secrets.get("messagerie.dkim.actif", DEFAULT_SELECTOR)
        if active not in SELECTORS:
            raise fail(
                self.place,
                f"le sélecteur DKIM actif « {active} » n'existe pas",
                f"écrire {' ou '.join(SELECTORS)} dans messagerie.dkim.actif",
            )
        keys = tuple(
            TreeFile(
                f"{DKIM_FOLDER}/{self.name}.{selector}.key",
                (Part(self._private_key(selector), self.commune),),
                mode="0640",
                group="_rspamd",
                secret=True,
            )
            for selector in SELECTORS
        )
        return (
            self._shared(f"{RSPAMD_FOLDER}/selecteurs.map", [f"{self.name} {active}"]),
            self._shared(
                f"{RSPAMD_FOLDER}/expediteurs.map",
                [f"{self.address(login)} {','.join(allowed[login])}" for login in sorted(allowed)],
            ),
            *keys,
        )

    def _secret(self, name: str, field: str) -> str:
        """Return one field of a secret; raise PackmairieError when the vault lacks it."""
        value: Any = self.secrets.get(name)
        found = value.get(field) if isinstance(value, Mapping) else None
        if not isinstance(found, str) or not found:
            raise fail(self.place, f"« {name}.{field} » manque", "le générer avec « packmairie inventory secrets »")
        return found

    def _fingerprint(self, login: str) -> str:
        name = f"messagerie.boites.{login}"
        fingerprint = self._secret(name, "empreinte")
        if not fingerprint.startswith("{ARGON2ID}$argon2id$") or _UNSAFE.search(fingerprint):
            raise fail(
                self.place, f"« {name}.empreinte » n'est pas une empreinte argon2id", "régénérer ce mot de passe"
            )
        return fingerprint

    def _private_key(self, selector: str) -> str:
        name = f"messagerie.dkim.{selector}"
        key = self._secret(name, PRIVATE_KEY_FIELD)
        if not _PRIVATE_KEY.fullmatch(key):
            raise fail(
                self.place, f"« {name}.{PRIVATE_KEY_FIELD} » n'est pas une clé PEM (PKCS#8)", "régénérer cette clé"
            )
        return key if key.endswith("\n") else key + "\n"


def tenant_trees(commune: Commune, pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Given a commune and its vault, return the trees ``postfix``, ``dovecot`` and ``rspamd`` of its domain.

    Nothing for a commune that has its own mail. postmaster@ and abuse@ (RFC 2142) always lead to contact@.
    An agent may send as himself, as contact@, and as every alias that leads to him or to contact@; the probe
    account only as itself and contact@; contact@ cannot log in. Raise PackmairieError when a secret is missing
    or has not the shape of a hash or of a key.
    """
    if not commune.deploys("messagerie"):
        return ()
    default_quota = pack.file.messagerie.quota_mo
    domain = _Domain(commune.domaine.nom, commune.insee, secrets)
    domain.boxes = {agent.identifiant: agent.quota_mo or default_quota for agent in commune.agents}
    domain.boxes |= {SHARED_LOCAL_PART: default_quota, PROBE_LOCAL_PART: default_quota}
    agents = tuple(sorted(agent.identifiant for agent in commune.agents))
    domain.logins = (*agents, PROBE_LOCAL_PART)
    domain.aliases = dict.fromkeys(RESERVED_LOCAL_PARTS, (SHARED_LOCAL_PART,))
    domain.aliases |= {alias: tuple(dict.fromkeys(boxes)) for alias, boxes in commune.messagerie.alias.items()}
    domain.senders = {agent: (agent,) for agent in agents}
    domain.senders[PROBE_LOCAL_PART] = (PROBE_LOCAL_PART,)
    domain.senders[SHARED_LOCAL_PART] = (*agents, PROBE_LOCAL_PART)
    for alias, targets in domain.aliases.items():
        domain.senders[alias] = agents if SHARED_LOCAL_PART in targets else tuple(t for t in agents if t in targets)
    return domain.trees()


def platform_trees(pack: Pack, secrets: Secrets) -> tuple[Tree, ...]:
    """Given the pack and the platform's vault, return the same trees for the platform's own domain.

    One box, postmaster@, receives what is written to the platform: roles, reports and the hosts' own mail.
    """
    domain = _Domain(pack.file.plateforme.domaine, None, secrets)
    domain.boxes = {PLATFORM_BOX: pack.file.messagerie.quota_mo}
    domain.logins = (PLATFORM_BOX,)
    domain.aliases = dict.fromkeys(PLATFORM_ALIASES, (PLATFORM_BOX,))
    domain.senders = dict.fromkeys((PLATFORM_BOX, "abuse", "hostmaster"), (PLATFORM_BOX,))
    return (*domain.trees(), Tree("messagerie", GROUP, ()))
