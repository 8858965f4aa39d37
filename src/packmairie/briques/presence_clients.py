# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that mail programs ask for, from one structure: Thunderbird, Outlook, Apple.

Thunderbird reads ``config-v1.1.xml`` (the format of its ISPDB), Outlook the « plain old XML » of Autodiscover
(MS-OXDSCLI), Apple a configuration profile. The last two say the login as the program gave it: the files carry a
Caddy template for that one value, which lets nothing through but an address of the domain.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from xml.sax.saxutils import escape

from packmairie.model.commune import Commune
from packmairie.model.pack import Pack
from packmairie.site_mairie.wording import of_name

OUTLOOK_REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
OUTLOOK_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
AUTODISCOVER_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"


@dataclass(frozen=True)
class Server:
    """A service that a mail program connects to; ``security`` is ``ssl`` (from the start) or ``starttls``."""

    protocol: str
    host: str
    port: int
    security: str


@dataclass(frozen=True)
class ClientSettings:
    """Everything that a mail program needs to know of a commune, but the password."""

    domain: str
    title: str
    operator: str
    webmail: str
    incoming: Server
    outgoing: Server
    outgoing_fallback: Server


def client_settings(commune: Commune, pack: Pack, webmail: str) -> ClientSettings:
    """Given a commune, its pack and the webmail's host name, return the settings that every format is made from.

    TLS from the first octet is preferred (RFC 8314 §3.3); 587 serves networks that close 465.
    """
    host = pack.file.plateforme.host_name("mail")
    return ClientSettings(
        commune.domaine.nom,
        f"Mairie {of_name(commune.nom)}",
        pack.file.operateur.nom,
        f"https://{webmail}/",
        Server("imap", host, 993, "ssl"),
        Server("smtp", host, 465, "ssl"),
        Server("smtp", host, 587, "starttls"),
    )


def thunderbird(settings: ClientSettings) -> str:
    """Return ``config-v1.1.xml``; ``%EMAILADDRESS%`` is Thunderbird's own placeholder."""
    socket = {"ssl": "SSL", "starttls": "STARTTLS"}

    def server(tag: str, value: Server) -> str:
        return (
            f'    <{tag} type="{value.protocol}">\n'
            f"      <hostname>{escape(value.host)}</hostname>\n"
            f"      <port>{value.port}</port>\n"
            f"      <socketType>{socket[value.security]}</socketType>\n"
            "      <username>%EMAILADDRESS%</username>\n"
            "      <authentication>password-cleartext</authentication>\n"
            f"    </{tag}>\n"
        )

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<clientConfig version="1.1">\n'
        f'  <emailProvider id="{escape(settings.domain)}">\n'
        f"    <domain>{escape(settings.domain)}</domain>\n"
        f"    <displayName>{escape(settings.title)}</displayName>\n"
        f"    <displayShortName>{escape(settings.title)}</displayShortName>\n"
        + server("incomingServer", settings.incoming)
        + server("outgoingServer", settings.outgoing)
        + server("outgoingServer", settings.outgoing_fallback)
        + "  </emailProvider>\n"
        f'  <webMail>\n    <loginPage url="{escape(settings.webmail)}"/>\n  </webMail>\n'
        "</clientConfig>\n"
    )


def _text(value: str) -> str:
    """Return a text of the pack as it may stand in a file that Caddy reads as a template."""
    return escape(value, {"{": "&#123;", "}": "&#125;"})


def _with_address(domain: str, source: str, lines: str) -> str:
    """Return lines that Caddy gives only when the program named an address of the domain, said by ``{{ . }}``."""
    pattern = f"[A-Za-z0-9._+-]{{1,64}}@{domain.replace('.', '[.]')}"
    return f'{{{{ with ({source} | regexFind "{pattern}") }}}}{lines}{{{{ end }}}}'


def outlook(settings: ClientSettings) -> str:
    """Return the answer to an Autodiscover request (MS-OXDSCLI §2.2.4)."""
    login = _with_address(
        settings.domain, 'placeholder "http.request.body"', "        <LoginName>{{ . }}</LoginName>\n"
    )

    def protocol(kind: str, value: Server) -> str:
        encryption = {"ssl": "SSL", "starttls": "TLS"}[value.security]
        return (
            "      <Protocol>\n"
            f"        <Type>{kind}</Type>\n"
            f"        <Server>{_text(value.host)}</Server>\n"
            f"        <Port>{value.port}</Port>\n"
            "        <DomainRequired>off</DomainRequired>\n"
            f"{login}"
            "        <SPA>off</SPA>\n"
            f"        <SSL>{'on' if value.security == 'ssl' else 'off'}</SSL>\n"
            f"        <Encryption>{encryption}</Encryption>\n"
            "        <AuthRequired>on</AuthRequired>\n"
            + ("        <UsePOPAuth>on</UsePOPAuth>\n" if kind == "SMTP" else "")
            + "      </Protocol>\n"
        )

    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Autodiscover xmlns="{AUTODISCOVER_RESPONSE}">\n'
        f'  <Response xmlns="{OUTLOOK_RESPONSE}">\n'
        f"    <User>\n      <DisplayName>{_text(settings.title)}</DisplayName>\n    </User>\n"
        "    <Account>\n      <AccountType>email</AccountType>\n      <Action>settings</Action>\n"
        + protocol("IMAP", settings.incoming)
        + protocol("SMTP", settings.outgoing)
        + "    </Account>\n  </Response>\n</Autodiscover>\n"
    )


def apple(settings: ClientSettings) -> str:
    """Return a configuration profile; ``?adresse=`` fills the login, without it the telephone asks."""
    identity = {
        part: str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{part}.{settings.domain}")) for part in ("courrier", "profil")
    }

    def entries(values: dict[str, str | int | bool], indent: str) -> str:
        lines = []
        for key, value in values.items():
            if isinstance(value, bool):
                shown = "<true/>" if value else "<false/>"
            elif isinstance(value, int):
                shown = f"<integer>{value}</integer>"
            else:
                shown = f"<string>{_text(value)}</string>"
            lines.append(f"{indent}<key>{key}</key>{shown}\n")
        return "".join(lines)

    incoming, outgoing = settings.incoming, settings.outgoing
    account: dict[str, str | int | bool] = {
        "PayloadType": "com.apple.mail.managed",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{settings.domain}.courrier",
        "PayloadUUID": identity["courrier"],
        "PayloadDisplayName": settings.title,
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountDescription": settings.title,
        "IncomingMailServerHostName": incoming.host,
        "IncomingMailServerPortNumber": incoming.port,
        "IncomingMailServerUseSSL": True,
        "IncomingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingMailServerHostName": outgoing.host,
        "OutgoingMailServerPortNumber": outgoing.port,
        "OutgoingMailServerUseSSL": True,
        "OutgoingMailServerAuthentication": "EmailAuthPassword",
        "OutgoingPasswordSameAsIncomingPassword": True,
    }
    profile: dict[str, str | int | bool] = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": settings.domain,
        "PayloadUUID": identity["profil"],
        "PayloadDisplayName": f"Messagerie : {settings.title}",
        "PayloadDescription": f"Règle la boîte aux lettres de la commune ({settings.domain}).",
        "PayloadOrganization": settings.operator,
        "PayloadRemovalDisallowed": False,
    }
    named = ("EmailAddress", "IncomingMailServerUsername", "OutgoingMailServerUsername")
    login = _with_address(
        settings.domain,
        '.Req.URL.Query.Get "adresse"',
        "".join(f"      <key>{key}</key><string>{{{{ . }}}}</string>\n" for key in named),
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n'
        '<plist version="1.0">\n<dict>\n'
        "  <key>PayloadContent</key>\n  <array>\n    <dict>\n"
        + entries(account, "      ")
        + login
        + "    </dict>\n  </array>\n"
        + entries(profile, "  ")
        + "</dict>\n</plist>\n"
    )


def outlook_request(address: str) -> str:
    """Return what Outlook posts to ask for the settings of an address (MS-OXDSCLI §2.2.3)."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<Autodiscover xmlns="{OUTLOOK_REQUEST}"><Request><EMailAddress>{escape(address)}</EMailAddress>'
        f"<AcceptableResponseSchema>{OUTLOOK_RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>\n"
    )
