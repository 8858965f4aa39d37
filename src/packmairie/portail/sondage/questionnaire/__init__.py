# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked: questionnaires as versioned data, and what an answer to them may be."""
