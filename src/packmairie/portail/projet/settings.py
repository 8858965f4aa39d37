# SPDX-License-Identifier: GPL-3.0-or-later
"""Django's settings. What an installation decides is in its TOML file (``configuration``); the rest is decided here."""

from __future__ import annotations

from typing import Any

from packmairie.portail.projet.configuration import Configuration, read_configuration, secret_key

CONFIGURATION: Configuration = read_configuration()
SECRET_KEY = secret_key(CONFIGURATION)
DEBUG = False
ALLOWED_HOSTS = list(CONFIGURATION.hotes)
ROOT_URLCONF = "packmairie.portail.projet.urls"
WSGI_APPLICATION = "packmairie.portail.projet.wsgi.application"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "packmairie.portail.socle",
    "packmairie.portail.signalement",
    "packmairie.portail.sondage",
]
MIDDLEWARE = [
    "packmairie.portail.projet.middleware.ForgetOrigin",
    "packmairie.portail.projet.middleware.ConfidentialHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
FORM_RENDERER = "packmairie.portail.socle.formulaires.AccessibleRenderer"


def _database() -> dict[str, Any]:
    base = CONFIGURATION.base
    if base.moteur == "sqlite":
        CONFIGURATION.donnees.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(CONFIGURATION.donnees / f"{base.nom}.sqlite3"),
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
                "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;",
            },
        }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": base.nom,
        "USER": base.utilisateur,
        "HOST": base.hote,
        "PORT": "" if base.port is None else str(base.port),
        "PASSWORD": base.fichier_mot_de_passe.read_text("utf-8").strip() if base.fichier_mot_de_passe else "",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


DATABASES = {"default": _database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

LANGUAGE_CODE = "fr"
TIME_ZONE = "Europe/Paris"
USE_TZ = True
STATIC_URL = "/statique/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# Nothing that a person sends may reach the disk before it is sealed: one handler, which encrypts as it reads.
FILE_UPLOAD_HANDLERS = ["packmairie.portail.signalement.depot.televersement.SealingUploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 300
DATA_UPLOAD_MAX_NUMBER_FILES = 8

PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 14}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_AGE = 30 * 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIGURATION.https
CSRF_COOKIE_AGE = None
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_FAILURE_VIEW = "packmairie.portail.socle.erreurs.csrf_failure"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if CONFIGURATION.https else None
SECURE_HSTS_SECONDS = 31_536_000 if CONFIGURATION.https else 0
X_FRAME_OPTIONS = "DENY"

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = CONFIGURATION.courriel.hote
EMAIL_PORT = CONFIGURATION.courriel.port
EMAIL_USE_TLS = CONFIGURATION.courriel.tls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = CONFIGURATION.courriel.expediteur
ADMINS: list[tuple[str, str]] = []

# No handler mails anything, no line has an address or a message of an exception: see ``journaux``.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": True,
    "filters": {"discretion": {"()": "packmairie.portail.projet.journaux.Discretion"}},
    "formatters": {"sobre": {"()": "packmairie.portail.projet.journaux.SoberFormatter"}},
    "handlers": {
        "erreur": {"class": "logging.StreamHandler", "filters": ["discretion"], "formatter": "sobre"},
        "rien": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["erreur"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["erreur"], "level": "ERROR", "propagate": False},
        "django.server": {"handlers": ["rien"], "propagate": False},
        "django.security": {"handlers": ["rien"], "propagate": False},
    },
}
