# SPDX-License-Identifier: GPL-3.0-or-later
"""The website of a commune: static pages from its data and from the files that its secretary writes.

This folder stands alone: it is copied to the web host and run there by Debian's own Python
(``python3-jinja2`` and ``python3-markdown-it``), so it imports nothing else of packmairie.
"""
