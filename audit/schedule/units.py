"""systemd: a oneshot service that may do little but audit, and the timer that starts it."""

from __future__ import annotations

from audit.schedule.model import BUSY, FOLDER, Schedule

NIGHTLY = "*-*-* 03:10:00"
_HEAD = "# Printed by `fleet-audit schedule print --systemd`: print it anew rather than change it here.\n"
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:=,@+~!^")

_SANDBOX = """
# It may write to its own folders and speak to the network, and nothing else.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
DevicePolicy=closed
PrivateUsers=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RemoveIPC=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0027
"""
_REMOTE = """ProtectProc=invisible
ProcSubset=pid
"""


def service(one: Schedule) -> str:
    """The text of ``fleet-audit.service``.

    Args:
        one: without a fault (see `audit.schedule.fault_of`).
    """
    lock = ("--no-fork", "--nonblock", "--conflict-exit-code", str(BUSY), f"{FOLDER}/check.lock")
    start = [*map(_word, ("/usr/bin/flock", *lock, *one.words))]
    credentials = []
    if one.key:
        credentials += [
            "# The key is root's alone; ~/.ssh/config of the user names what it is here:",
            "#   IdentityFile /run/credentials/fleet-audit.service/ssh-key",
            f"LoadCredential=ssh-key:{one.key}",
        ]
    if one.notify:
        credentials.append(f"LoadCredential=notify:{one.notify}")
        start.append('--notify "@${CREDENTIALS_DIRECTORY}/notify"')
    folder = one.metrics.rpartition("/")[0] or "/"
    elsewhere = [] if f"{folder}/".startswith(f"{FOLDER}/") else [f"ReadWritePaths={folder}"]
    lines = [
        "[Unit]",
        "Description=Audit the fleet of build workers",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"User={one.user}",
        "# Findings (1) and hosts that could not be told (3) are reports, not failures of the unit. A run that finds",
        f"# another one under way ends with {BUSY}, and is one.",
        f"ExecStart={' '.join([*start, *map(_word, one.arguments)])}",
        "SuccessExitStatus=1 3",
        f"ExecStartPost=/usr/bin/chmod 0644 {one.metrics}",
        "# The run's own deadline ends it in order before this does.",
        f"TimeoutStartSec={one.limit}",
        *credentials,
        "# The inventory (./inventory) and settings (config.toml) of /etc/fleet-audit; history, lock and metrics in",
        f"# {FOLDER}.",
        "ConfigurationDirectory=fleet-audit",
        "StateDirectory=fleet-audit",
        "CacheDirectory=fleet-audit",
        "WorkingDirectory=/etc/fleet-audit",
        "Environment=XDG_CONFIG_HOME=/etc XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache",
        *elsewhere,
    ]
    return _HEAD + "\n".join(lines) + "\n" + _SANDBOX + ("" if one.local else _REMOTE)


def timer(one: Schedule) -> str:
    """The text of ``fleet-audit.timer``; `one` is as for `service`."""
    lines = [
        "[Unit]",
        "Description=Audit the fleet of build workers on a schedule",
        "",
        "[Timer]",
        f"OnCalendar={one.calendar or NIGHTLY}",
        f"RandomizedDelaySec={one.delay}",
        "# A run that was missed while the machine was off is made up for.",
        "Persistent=true",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    return _HEAD + "\n".join(lines) + "\n"


def _word(text: str) -> str:
    """One word of ExecStart: no specifier, variable, escape or quote of systemd's comes to life."""
    shown = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return shown if shown and _BARE.issuperset(shown.replace("%%", "")) else f'"{shown}"'
