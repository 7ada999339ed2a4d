"""From sources to a fleet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from audit.errors import UsageError
from audit.inventory import external
from audit.inventory.groups import FilesOf, Roster
from audit.inventory.layout import Location, locate, vars_files
from audit.inventory.place import Place, Setting, Tree
from audit.inventory.policy import check_waivers, layer_of
from audit.inventory.structure import Reader
from audit.inventory.variables import of_node
from audit.inventory.yamlfile import VAULT_HEADER, compose, read_text
from audit.model import Fleet, Policy, PolicyLayer


def load(sources: Path | str | Sequence[Path | str], *, known_rules: Collection[str] | None = None) -> Fleet:
    """Read an inventory and its policy as Ansible would, and refuse what Ansible would misread or skip.

    Args:
        sources: a file or folder, or several, the later ones winning; paths are kept as given.
        known_rules: ids that a policy may name; None checks only their form.

    Returns:
        The hosts in the order of declaration, each with its groups, file and line; and every policy layer.

    Raises:
        InventoryError: a source, a variable or a name is wrong; with file, line and key.
        PolicyError: the same for what stands in ``audit_policy``.
        UsageError: no source at all.
    """
    given = [Path(sources)] if isinstance(sources, Path | str) else [Path(source) for source in sources]
    if not given:
        raise UsageError("no inventory: give a file or a folder with -i")
    return _Loading(known_rules).fleet([locate(path) for path in dict.fromkeys(given)])


class _Loading:
    """One load: the roster and the layers while they fill."""

    def __init__(self, known_rules: Collection[str] | None) -> None:
        self.known_rules = known_rules
        self.roster = Roster()
        self.layers: list[PolicyLayer] = []
        self.encrypted: tuple[Place, str] | None = None

    def fleet(self, locations: Sequence[Location]) -> Fleet:
        foreign = next((file for each in locations for file in each.files if not file.native), None)
        if foreign is None:
            self._read_natively(locations)
            if self.encrypted is None:
                return self._result(locations)
            culprit, why = self.encrypted
        else:
            culprit, why = Place(str(foreign.path)), foreign.kind
        return self._through_ansible(locations, culprit, why)

    def _read_natively(self, locations: Sequence[Location]) -> None:
        reader = Reader(self.roster, self._policy)
        for location in locations:
            for file in location.files:
                root = compose(file.text, str(file.path))
                if root is None:
                    raise Place(str(file.path), 1).error("is empty: write `all:` with hosts, or delete the file")
                reader.read(root, str(file.path))
        self.roster.settle()
        self._read_vars_files(locations)

    def _read_vars_files(self, locations: Sequence[Location], *, policy_only: bool = False) -> None:
        done: dict[Path, FilesOf] = {}
        for location in locations:
            if location.base in done:
                continue
            files = done[location.base] = FilesOf()
            for what, folder, names, store in (
                ("group", "group_vars", self.roster.groups, files.groups),
                ("host", "host_vars", self.roster.members, files.hosts),
            ):
                for owner, path in vars_files(location.base, folder, names, what):
                    store.setdefault(owner, {}).update(self._vars_file(path, f"{what}:{owner}"))
            if not policy_only:
                self.roster.files.append(files)

    def _vars_file(self, path: Path, scope: str) -> dict[str, Setting]:
        text = read_text(path)
        if text.startswith(VAULT_HEADER):
            self.encrypted = self.encrypted or (Place(str(path), 1), "encrypted with ansible-vault")
            return {}
        root = compose(text, str(path))
        if root is None:
            return {}
        said = of_node(root, Place(str(path), root.start_mark.line + 1))
        for tree in said.policies:
            self._policy(tree, scope)
        return said.ours

    def _policy(self, tree: Tree, scope: str) -> None:
        self.layers.append(layer_of(tree, scope, self.known_rules))

    def _through_ansible(self, locations: Sequence[Location], culprit: Place, why: str) -> Fleet:
        """Hosts, groups and variables by Ansible; policy from our own reading of the files, for their lines.

        A policy that only Ansible could see (in an INI file, a plugin, a vault) becomes a layer of each of its hosts.
        """
        declared = {name: member.place for name, member in self.roster.members.items()}
        self.roster, self.layers = Roster(), []
        by_host: list[tuple[Tree, str]] = []
        paths = [location.path for location in locations]
        external.read_into(self.roster, paths, culprit, why, lambda tree, scope: by_host.append((tree, scope)))
        for name, member in self.roster.members.items():
            member.place = declared.get(name, member.place)
        self.roster.settle()
        self._read_vars_files(locations, policy_only=True)
        seen = {layer.scope for layer in self.layers}
        for tree, scope in by_host:
            member = self.roster.members[scope.removeprefix("host:")]
            scopes = {scope, *(f"group:{name}" for name in self.roster.above(tuple(member.groups)))}
            if not scopes & seen:
                self._policy(tree, scope)
        return self._result(locations)

    def _result(self, locations: Sequence[Location]) -> Fleet:
        hosts = tuple(self.roster.hosts())
        if not hosts:
            place = Place(str(locations[0].files[0].path))
            raise place.error("declares no host: write them under all, hosts, each name with a colon after it")
        fleet = Fleet(hosts=hosts, policy=Policy(layers=tuple(self.layers)))
        check_waivers(fleet, self.roster.groups)
        return fleet
