# SPDX-License-Identifier: GPL-3.0-or-later
"""The CdG's web services, one Django project: the reporting channel (signalement) and the survey (sondage)."""
