# SPDX-License-Identifier: GPL-3.0-or-later
"""What gunicorn runs."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "packmairie.portail.projet.settings")
application = get_wsgi_application()
