"""Inventories and policies: Ansible's own layout, read natively and strictly; and hosts named on the command line.

    load ......... sources -> Fleet, every error with file, line and key
    choose ....... names, groups and patterns of the inventory, or ad hoc hosts
    select ....... Ansible's pattern language
    ad_hoc, local  hosts without an inventory
    listing ...... rows of plain data
    importing .... a hosts.yml out of ssh_config, docker contexts and buildx nodes

Inside, in the order in which text becomes a fleet: `layout` finds the files, `yamlfile` and `scalars` read them with
their lines, `structure` fills the `groups`, `variables` and `readers` check types, `policy` makes the layers,
`external` asks ``ansible-inventory`` for what only Ansible reads, `loading` joins all.
"""

from audit.inventory.listing import listing
from audit.inventory.loading import load
from audit.inventory.patterns import select
from audit.inventory.targets import ad_hoc, choose, local

__all__ = ["ad_hoc", "choose", "listing", "load", "local", "select"]
