"""The systemd unit that runs the builds."""

from __future__ import annotations

from audit.fact import Fact, fact_field


class BuildUnit(Fact):
    """Unknown(not-asked) where the inventory declares no `build_unit`."""

    name: str = fact_field("The unit's name")
    load_state: str = fact_field("loaded, not-found, masked, …")
    active_state: str = fact_field("active, inactive, failed, …", drift="volatile")
    user: str = fact_field("User that it runs as; root where the unit says nothing")
    home: str | None = fact_field("HOME that its processes have", default=None)
    main_pid: int | None = fact_field("Its main process, where it runs", drift="volatile", default=None)
    fragment: str | None = fact_field("Path of the unit file", default=None)
    drop_ins: tuple[str, ...] = fact_field("Paths of its drop-ins", default=())
    environment_files: tuple[str, ...] = fact_field("Paths of its EnvironmentFile= lines", default=())
    requires_mounts_for: tuple[str, ...] = fact_field("RequiresMountsFor=", default=())
    stale_environment: bool | None = fact_field(
        "Its process runs with another environment than its files now say; None: cannot tell",
        default=None,
    )
