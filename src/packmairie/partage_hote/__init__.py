# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on the host of the file spaces: its folder is laid there and imports nothing of packmairie.

Only Python's own library is used; ``serve`` and ``hook`` run inside copyparty's process, the others by themselves.
"""
