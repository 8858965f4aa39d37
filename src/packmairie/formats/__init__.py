# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commune exchanges with the State, buyers and archivists, as formats: values in, documents and reports out.

Nothing here opens a connection or knows a pack. What is written is strict; what is read from elsewhere is read
leniently, because platforms send what their own schemas refuse.
"""
