# SPDX-License-Identifier: GPL-3.0-or-later
"""The portal's settings for the tests: data in a temporary folder that goes away, cheap key derivation, mail kept."""

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="packmairie-portail-essai-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ["PACKMAIRIE_PORTAIL_DONNEES"] = _FOLDER
os.environ.pop("PACKMAIRIE_PORTAIL", None)

from packmairie.portail.projet.settings import *  # noqa: E402, F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
PORTAIL_COUT = "essai"
