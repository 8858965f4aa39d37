# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings that differ from one installation to another, read from one TOML file."""

from __future__ import annotations

import os
import secrets
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from packmairie.model.problem import PackmairieError, Problem, fail

VARIABLE = "PACKMAIRIE_PORTAIL"
"""Environment variable with the path of the TOML file; it holds no secret."""
DATA_VARIABLE = "PACKMAIRIE_PORTAIL_DONNEES"
"""Folder of the data when there is no TOML file: SQLite and a key made at the first start."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Base(_Strict):
    """Where the data is: a SQLite file of the data folder, or PostgreSQL by a socket (peer) or a host."""

    moteur: Literal["sqlite", "postgresql"] = "sqlite"
    nom: str = "portail"
    utilisateur: str = ""
    hote: str = Field(default="", description="dossier de la socket, ou nom d'hôte")
    port: int | None = None
    fichier_mot_de_passe: Path | None = None


class Courriel(_Strict):
    """The relay that takes the neutral notices; none means that no notice can leave."""

    hote: str = ""
    port: int = 25
    expediteur: str = "ne-pas-repondre@localhost"
    tls: bool = False


class Configuration(_Strict):
    """Everything that an installation decides."""

    donnees: Path
    hotes: tuple[str, ...] = ("localhost", "127.0.0.1")
    https: bool = False
    mandataires: tuple[str, ...] = Field(default=(), description="adresses des frontaux dont X-Forwarded-For est cru")
    fichier_cle: Path | None = Field(default=None, description="clé de Django ; sinon donnees/cle")
    base: Base = Base()
    courriel: Courriel = Courriel()
    sortie: str = Field(default="https://fr.wikipedia.org/", description="où mène « Quitter vite »")


def read_configuration() -> Configuration:
    """Return the configuration of this process.

    The file named by PACKMAIRIE_PORTAIL, else SQLite in the folder PACKMAIRIE_PORTAIL_DONNEES (default:
    ``portail-donnees`` of the current folder). Raise PackmairieError with every fault of the file.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return Configuration(donnees=Path(os.environ.get(DATA_VARIABLE, "portail-donnees")).absolute())
    path = Path(named)
    try:
        return Configuration.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise fail(named, f"illisible ({error.strerror})", "donner un fichier TOML lisible par le portail") from None
    except tomllib.TOMLDecodeError as error:
        raise fail(named, f"ce n'est pas du TOML ({error})", "corriger le fichier") from None
    except ValidationError as error:
        raise PackmairieError(
            Problem(named, f"{'.'.join(map(str, item['loc']))} : {item['msg']}", "corriger ce réglage")
            for item in error.errors()
        ) from None


def secret_key(configuration: Configuration) -> str:
    """Return Django's key: read from its file, made there at the first start (mode 0600)."""
    path = configuration.fichier_cle or configuration.donnees / "cle"
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = secrets.token_urlsafe(48)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii").strip()
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(made)
        return made
