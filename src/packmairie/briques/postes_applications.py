# SPDX-License-Identifier: GPL-3.0-or-later
"""How Firefox and Thunderbird are set on a workstation: enterprise policies, and the accounts of each agent.

Policies follow Mozilla's policy templates (mozilla.github.io/policy-templates, thunderbird.github.io/policy-templates).
Accounts have no policy: they follow AutoConfig (support.mozilla.org, « Customizing Firefox using AutoConfig »), by
default preferences that depend on the Unix account.
"""

from __future__ import annotations

import json
from typing import Any

from packmairie.briques.postes_services import has_mail, services_of
from packmairie.model.commune import SHARED_LOCAL_PART, Agent, Commune
from packmairie.model.pack import Pack

SMART_CARD_MODULE = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
IMAP_PORT, SUBMISSION_PORT = 993, 465
TLS = 3
"""Thunderbird's socketType and try_ssl: TLS from the first byte (RFC 8314)."""
PLAIN_PASSWORD = 3
"""authMethod: the password as it is, inside TLS."""


def firefox_policies(commune: Commune, pack: Pack) -> dict[str, Any]:
    """Return the policies of Firefox: the commune's bookmarks, the smart card, nothing sent to anybody."""
    services = services_of(commune, pack)
    bookmarks: list[dict[str, Any]] = [{"toplevel_name": f"Mairie de {commune.nom}"}]
    bookmarks += [{"name": service.title, "url": service.url} for service in services]
    home = next((service.url for service in services if service.name == "webmail"), None)
    policies: dict[str, Any] = {
        "AppAutoUpdate": False,
        "Certificates": {"ImportEnterpriseRoots": True},
        "DisableFirefoxAccounts": True,
        "DisableFirefoxStudies": True,
        "DisableTelemetry": True,
        "DisplayBookmarksToolbar": "always",
        "DontCheckDefaultBrowser": True,
        "EnableTrackingProtection": {"Value": True, "Cryptomining": True, "Fingerprinting": True},
        "ExtensionSettings": extensions("langpack-fr@firefox-esr.mozilla.org"),
        "HttpsOnlyMode": "enabled",
        "ManagedBookmarks": bookmarks,
        "NoDefaultBookmarks": True,
        "OfferToSaveLogins": False,
        "OverrideFirstRunPage": "",
        "OverridePostUpdatePage": "",
        "RequestedLocales": ["fr"],
        "SearchSuggestEnabled": False,
        "SecurityDevices": {"Add": {"Carte à puce (OpenSC)": SMART_CARD_MODULE}},
        "SSLVersionMin": "tls1.2",
        "UserMessaging": {"ExtensionRecommendations": False, "FeatureRecommendations": False, "SkipOnboarding": True},
    }
    if home:
        policies["Homepage"] = {"URL": home, "StartPage": "homepage"}
    return {"policies": policies}


def extensions(french: str) -> dict[str, Any]:
    """Return the policy of extensions: none but Debian's own, whose French pack must be named to be let in."""
    blocked = {"installation_mode": "blocked", "blocked_install_message": "Demander à l'assistance."}
    return {"*": blocked, french: {"installation_mode": "allowed"}}


def thunderbird_policies(commune: Commune, pack: Pack) -> dict[str, Any]:
    """Return the policies of Thunderbird."""
    return {
        "policies": {
            "AppAutoUpdate": False,
            "Certificates": {"ImportEnterpriseRoots": True},
            "DisableTelemetry": True,
            "ExtensionSettings": extensions("langpack-fr@thunderbird.mozilla.org"),
            "RequestedLocales": ["fr"],
            "SecurityDevices": {"Add": {"Carte à puce (OpenSC)": SMART_CARD_MODULE}},
        }
    }


def thunderbird_settings(commune: Commune, pack: Pack, users: list[Agent]) -> str:
    """Return the AutoConfig file: for each Unix account, its mailbox, and contact@ as a second identity.

    The shared mailbox is a folder of the agent's own account (IMAP namespace, RFC 2342): one password for both. The
    first line of such a file is never read.
    """
    if not has_mail(commune):
        return "// Le courrier de la commune est ailleurs : rien à régler.\n"
    domain = commune.domaine.nom
    people = {
        agent.identifiant: {"adresse": f"{agent.identifiant}@{domain}", "nom": f"{agent.nom}, {commune.nom}"}
        for agent in users
    }
    shared = {"adresse": f"{SHARED_LOCAL_PART}@{domain}", "nom": f"Mairie de {commune.nom}"}
    server = pack.file.plateforme.host_name("mail")
    return (
        "// Posé par packmairie (brique postes).\n"
        f"const people = {_script(people)};\n"
        f"const shared = {_script(shared)};\n"
        f"const server = {_script(server)};\n"
        'const person = people[getenv("USER")];\n'
        "if (person) {\n"
        '  defaultPref("mail.accountmanager.accounts", "account1,account2");\n'
        '  defaultPref("mail.accountmanager.defaultaccount", "account1");\n'
        '  defaultPref("mail.accountmanager.localfoldersserver", "server2");\n'
        '  defaultPref("mail.account.account1.identities", "id1,id2");\n'
        '  defaultPref("mail.account.account1.server", "server1");\n'
        '  defaultPref("mail.account.account2.server", "server2");\n'
        '  defaultPref("mail.server.server2.type", "none");\n'
        '  defaultPref("mail.server.server2.name", "Dossiers locaux");\n'
        '  defaultPref("mail.server.server2.hostname", "Local Folders");\n'
        '  defaultPref("mail.server.server2.userName", "nobody");\n'
        '  defaultPref("mail.server.server2.directory-rel", "[ProfD]Mail/Local Folders");\n'
        '  defaultPref("mail.server.server1.type", "imap");\n'
        '  defaultPref("mail.server.server1.name", person.adresse);\n'
        '  defaultPref("mail.server.server1.hostname", server);\n'
        '  defaultPref("mail.server.server1.userName", person.adresse);\n'
        f'  defaultPref("mail.server.server1.port", {IMAP_PORT});\n'
        f'  defaultPref("mail.server.server1.socketType", {TLS});\n'
        f'  defaultPref("mail.server.server1.authMethod", {PLAIN_PASSWORD});\n'
        '  defaultPref("mail.server.server1.login_at_startup", true);\n'
        '  defaultPref("mail.server.server1.check_new_mail", true);\n'
        '  defaultPref("mail.server.server1.check_time", 5);\n'
        '  defaultPref("mail.server.server1.using_subscription", false);\n'
        '  defaultPref("mail.identity.id1.fullName", person.nom);\n'
        '  defaultPref("mail.identity.id1.useremail", person.adresse);\n'
        '  defaultPref("mail.identity.id2.fullName", shared.nom);\n'
        '  defaultPref("mail.identity.id2.useremail", shared.adresse);\n'
        '  for (const identity of ["id1", "id2"]) {\n'
        '    defaultPref("mail.identity." + identity + ".valid", true);\n'
        '    defaultPref("mail.identity." + identity + ".smtpServer", "smtp1");\n'
        "  }\n"
        '  defaultPref("mail.smtpservers", "smtp1");\n'
        '  defaultPref("mail.smtp.defaultserver", "smtp1");\n'
        '  defaultPref("mail.smtpserver.smtp1.hostname", server);\n'
        '  defaultPref("mail.smtpserver.smtp1.username", person.adresse);\n'
        f'  defaultPref("mail.smtpserver.smtp1.port", {SUBMISSION_PORT});\n'
        f'  defaultPref("mail.smtpserver.smtp1.try_ssl", {TLS});\n'
        f'  defaultPref("mail.smtpserver.smtp1.authMethod", {PLAIN_PASSWORD});\n'
        '  lockPref("mailnews.message_display.disable_remote_image", true);\n'
        "}\n"
    )


def _script(value: Any) -> str:
    """Return data as a JavaScript literal; JSON is one (ECMA-262 §25.5), the two line separators included."""
    return json.dumps(value, ensure_ascii=True, sort_keys=True)
