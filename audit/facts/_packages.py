"""The packages that own Docker's programs, as the probe ``packages`` found them."""

from __future__ import annotations

from dataclasses import dataclass, field

from audit.fact import Answers
from audit.facts import _docker


@dataclass(frozen=True)
class Packages:
    """Owners by path.

    Attributes:
        manager: dpkg, rpm, apk or pacman; None where there is none, or no answer.
        paths: program -> path as found in PATH.
        resolved: the docker command with links resolved.
        owners: path -> package.
        versions: package -> version.
    """

    manager: str | None = None
    paths: dict[str, str] = field(default_factory=dict)
    resolved: str | None = None
    owners: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, answers: Answers) -> Packages:
        """Empty where the probe has no answer: who owns a file decides nothing."""
        lines = _docker.lines(answers, "packages")
        if lines is None:
            return cls()
        paths = {
            name: said.partition(" ")[0] for name in ("docker", "dockerd", "buildx") if (said := lines.first(name))
        }
        owners, versions = {}, {}
        for said in lines.all("owner"):
            package, _, path = said.partition(" ")
            owners[path.strip()] = package.partition(":")[0]
        for said in lines.all("version"):
            package, _, version = said.partition(" ")
            versions[package] = version
        for said in lines.all("apk"):  # docker-cli-25.0.5-r1 /usr/bin/docker
            full, _, path = said.partition(" ")
            name, number, release = [*full.rsplit("-", 2), "", ""][:3]
            owners[path.strip()] = name
            versions[name] = f"{number}-{release}"
        resolved = (lines.first("docker") or "").partition(" ")[2] or None
        return cls(lines.first("manager"), paths, resolved, owners, versions)

    def path(self, program: str) -> str | None:
        """Where a program was found."""
        return self.paths.get(program)

    def owner(self, path: str | None) -> str | None:
        """``package version`` of the file's owner."""
        package = self.owners.get(path or "")
        return f"{package} {self.versions.get(package, '')}".strip() if package else None

    def of(self, program: str) -> str | None:
        """``package version`` of a program's owner."""
        found = self.owner(self.path(program))
        return found or (self.owner(self.resolved) if program == "docker" else None)
