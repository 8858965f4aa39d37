# SPDX-License-Identifier: GPL-3.0-or-later
"""The tunnel by which a workstation behind any box is reached: it calls the gateway, nobody calls it.

One unit, the same whether the installer or the role lays it. The connection offers one thing to the gateway: this
workstation's own SSH server, at a loopback address of its own there.
"""

from __future__ import annotations

from packmairie.model.pack import Pack
from packmairie.model.poste import TUNNEL_PORT, Poste

GATEWAY_GROUP = "acces"
GATEWAY_PORT = 2022
"""Its own server, apart from the technicians': what a workstation's key may try never reaches the latter."""
TUNNEL_ACCOUNT = "packmairie-tunnel"
TUNNEL_UNIT = "packmairie-tunnel.service"
TUNNEL_UNIT_TEXT = """\
# Posé par packmairie : relie ce poste à la plateforme, d'où les techniciens le joignent.
[Unit]
Description=Tunnel vers la plateforme
After=network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
EnvironmentFile=/etc/packmairie/postes/tunnel.env
LoadCredential=cle:/etc/packmairie/postes/tunnel.cle
ExecStart=/usr/bin/ssh -N -T -F none -i %d/cle -p ${PORT} -l tunnel \\
  -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes \\
  -o UserKnownHostsFile=/etc/packmairie/postes/tunnel.connus -o GlobalKnownHostsFile=none \\
  -o ExitOnForwardFailure=yes -o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ConnectTimeout=20 \\
  -R ${ECOUTE}:127.0.0.1:22 ${PORTE}
Restart=always
RestartSec=15
User=packmairie-tunnel
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


def gateway_name(pack: Pack) -> str:
    """Return the name by which workstations find the gateway."""
    return pack.file.plateforme.host_name(GATEWAY_GROUP)


def tunnel_settings(pack: Pack, poste: Poste) -> str:
    """Return what the tunnel's unit reads: where the gateway is, and which of its addresses is this workstation's."""
    return f"PORTE={gateway_name(pack)}\nPORT={GATEWAY_PORT}\nECOUTE={poste.loopback}:{TUNNEL_PORT}\n"


def known_gateway(pack: Pack, public_key: str) -> str:
    """Return the line of known_hosts(5) by which the gateway is believed."""
    return f"[{gateway_name(pack)}]:{GATEWAY_PORT} {public_key}\n"
