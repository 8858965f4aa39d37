# SPDX-License-Identifier: GPL-3.0-or-later
"""A workstation of a mairie, and the policy that all of them share."""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from packmairie.model.fields import HttpsUrl, LocalPart, Strict, Text

PosteName = Annotated[str, StringConstraints(pattern=r"^poste-[0-9][0-9AB][0-9]{3}-[1-9][0-9]?$")]
SerialNumber = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ./_-]{1,63}$")]
SshPublicKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp256|ssh-rsa) [A-Za-z0-9+/]{40,1200}={0,2}( [A-Za-z0-9_.@-]{1,80})?$"
    ),
]
DiskDevice = Annotated[str, StringConstraints(pattern=r"^/dev/[a-z0-9/:._-]{2,80}$")]
TUNNEL_PORT = 2222
"""Where the gateway's end of each tunnel listens, on a loopback address of the workstation's own."""


class Poste(Strict):
    """A workstation: what it is, who uses it, how it is reached."""

    nom: PosteName = Field(description="poste-<code INSEE>-<numéro>")
    adresse: IPv4Address | IPv6Address | None = Field(
        default=None, description="Adresse par laquelle Ansible le joint ; inutile avec acces: tunnel"
    )
    connexion: dict[str, Any] = Field(
        default_factory=dict, description="Variables de connexion Ansible (ansible_user …)"
    )
    acces: Literal["direct", "tunnel", "tirage"] | None = Field(
        default=None,
        description="direct : par son adresse ; tunnel : il se relie lui-même à la plateforme ; tirage : il y prend un"
        " paquet signé et se met lui-même à jour (défaut : direct s'il a une adresse, sinon postes.acces du pack)",
    )
    profil: Literal["complet", "leger"] = Field(
        default="complet", description="complet : bureau entier ; leger : sans bureau ni matériel, pour un essai"
    )
    agents: list[LocalPart] = Field(
        default_factory=list, description="Agents qui y ouvrent une session (défaut : tous ceux de la commune)"
    )
    modele: Text | None = Field(default=None, description="Marque et modèle")
    numero_serie: SerialNumber | None = Field(default=None, description="Numéro de série inscrit sur la machine")
    garantie: date | None = Field(default=None, description="Dernier jour de la garantie")
    disque: DiskDevice = Field(default="/dev/nvme0n1", description="Disque que l'installation efface et chiffre")
    revoque_le: date | None = Field(
        default=None, description="Jour où le poste a été perdu, volé ou rendu : plus rien ne lui est ouvert"
    )

    @model_validator(mode="after")
    def _reachable(self) -> Poste:
        if self.acces == "direct" and self.adresse is None:
            raise ValueError(f"{self.nom} : il faut une adresse, ou acces: tunnel ou tirage")
        return self

    @property
    def way(self) -> str:
        """Return how it is reached; what the pack says for those that say nothing is written in when it is loaded."""
        return self.acces or ("direct" if self.adresse is not None else "tunnel")

    @property
    def tunnelled(self) -> bool:
        """Tell whether it keeps a tunnel to the platform open."""
        return self.way == "tunnel" and self.revoque_le is None

    @property
    def pulled(self) -> bool:
        """Tell whether it brings itself to the state of the bundles that the platform publishes."""
        return self.way == "tirage" and self.revoque_le is None

    @property
    def loopback(self) -> str:
        """Return the gateway's loopback address that is this workstation's alone (RFC 1122 §3.2.1.3: all of 127/8).

        The department takes 7 bits (2A and 2B are 96 and 97), the commune 10, the number 7: no table to keep, and no
        two workstations of France share one.
        """
        _, code, number = self.nom.split("-")
        department = {"2A": 96, "2B": 97}.get(code[:2]) or int(code[:2])
        packed = (department << 17) | (int(code[2:]) << 7) | int(number)
        return f"127.{packed >> 16}.{packed >> 8 & 255}.{packed & 255}"


class Signet(Strict):
    """A bookmark that every mairie has."""

    titre: Text
    adresse: HttpsUrl


class PolitiquePostes(Strict):
    """What all workstations share."""

    cles_techniciens: list[SshPublicKey] = Field(
        default_factory=list, description="Clés publiques SSH des techniciens, posées à l'installation"
    )
    acces: Literal["tunnel", "tirage"] = Field(
        default="tunnel", description="Comment sont joints les postes sans adresse dont le fichier ne dit rien"
    )
    tirage_jours: int = Field(default=45, ge=2, le=365, description="Durée de validité d'un paquet publié, jours")
    redemarrage: Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        default="12:45", description="Heure des redémarrages après mise à jour, si personne n'a de session ouverte"
    )
    verrouillage_minutes: int = Field(default=10, ge=1, le=60, description="Verrouillage de l'écran, minutes")
    signets: list[Signet] = Field(
        default_factory=list, description="Marque-pages de toutes les mairies (tiers de télétransmission, CdG…)"
    )
    assistance: Text | None = Field(default=None, description="Jours et heures d'ouverture de l'assistance")
