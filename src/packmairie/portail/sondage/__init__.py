# SPDX-License-Identifier: GPL-3.0-or-later
"""The survey: sample, questionnaire, anonymous answers, estimates, result page."""
