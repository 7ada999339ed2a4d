"""The hosts and their policy: what an inventory is read as."""

from __future__ import annotations

from audit.model.host import Host
from audit.model.policy import Policy
from audit.value import Model


class Fleet(Model):
    """The hosts, in the inventory's order, and the policy that they are judged under."""

    hosts: tuple[Host, ...] = ()
    policy: Policy = Policy()

    def __len__(self) -> int:
        """How many hosts."""
        return len(self.hosts)

    @property
    def names(self) -> tuple[str, ...]:
        """The hosts' names, in order."""
        return tuple(host.name for host in self.hosts)
