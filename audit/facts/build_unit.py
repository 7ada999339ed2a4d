"""The systemd unit that runs the builds."""

from __future__ import annotations

from typing import ClassVar, Self

from audit.fact import Answers, Fact, fact_field
from audit.facts import _probes_machine, _settings
from audit.facts._read import cannot_tell, garbled, number, split_lines
from audit.model import Probe, Reason


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

    probes: ClassVar[tuple[Probe, ...]] = (_probes_machine.BUILD_UNIT,)

    @classmethod
    def read(cls, answers: Answers) -> Self:
        """`systemctl show`, and the process's environment against the files'."""
        name = answers.host.build_unit
        if name is None:
            raise cannot_tell(Reason.NOT_ASKED, "the inventory declares no build_unit")
        answer = answers.answer("build-unit")
        if answer.exit == 127:
            raise cannot_tell(Reason.ABSENT, "there is no systemctl")
        lines = split_lines(answer.stdout)
        shown: dict[str, list[str]] = {}
        for said in lines.all("show"):
            key, _, value = said.partition("=")
            shown.setdefault(key, []).append(value)

        def first(key: str) -> str:
            return shown.get(key, [""])[0]

        if not first("LoadState") or not first("ActiveState"):
            raise garbled(f"systemctl shows no state of {name}: {answer.stderr.strip() or 'no message'}")
        if first("LoadState") == "not-found":
            raise cannot_tell(Reason.ABSENT, f"systemd knows no unit {name}")
        return cls(
            name=name,
            load_state=first("LoadState"),
            active_state=first("ActiveState"),
            user=first("User") or "root",
            home=_settings.running(answers).get("HOME"),
            main_pid=number(first("MainPID")) or None,
            fragment=first("FragmentPath") or None,
            drop_ins=tuple(first("DropInPaths").split()),
            environment_files=tuple(value.partition(" (")[0] for value in shown.get("EnvironmentFiles", ()) if value),
            requires_mounts_for=tuple(first("RequiresMountsFor").split()),
            stale_environment=_settings.stale(answers),
        )
