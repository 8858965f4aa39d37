# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the web host beside the site generator: building the sites that changed, and editing them by mail.

Laid in ``/usr/local/lib/packmairie/site_hote`` and run by Debian's own Python with ``PYTHONPATH=/usr/local/lib``:
beside the standard library it imports ``packmairie.site_mairie`` alone.
"""
