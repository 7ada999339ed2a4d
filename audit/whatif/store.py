"""The image store after a change, by dockerd's own rule; where its inputs are not known, every reading of them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from packaging.version import Version

from audit import versions
from audit.fact import Facts
from audit.facts._store_rule import COUNTED, NEWEST, REGISTERED, Choice, Inputs, choose
from audit.facts.daemon_config import DaemonConfig
from audit.facts.engine import Engine
from audit.facts.image_store import CONTAINERD_TYPE, ImageStore
from audit.model import Reason, StoreKind, Unknown
from audit.whatif.changes import Changes
from audit.whatif.known import GRAPHDRIVERS_ONCE, MIN_API_KEY_SINCE, MIN_API_LEAST, NO_SNAPSHOTTERS, PRIORITY

G, C = StoreKind.GRAPHDRIVER, StoreKind.CONTAINERD
FEATURE = "containerd-snapshotter"
MIGRATION = "containerd-migration"


@dataclass(frozen=True)
class StoreThen:
    """The store after a change.

    Attributes:
        store: the fact then.
        refuses: the engine does not start, and this is why; the words of the engine after the colon, where known.
    """

    store: ImageStore | Unknown
    refuses: str | None = None


def store_then(facts: Facts, changes: Changes) -> StoreThen:
    """What the engine takes when it starts after the change; without a restart, what it has now."""
    now, engine = facts[ImageStore], facts[Engine]
    if not changes.restarts:
        return StoreThen(now)
    said = changes.engine or (None if isinstance(engine, Unknown) else engine.version)
    version = versions.parse(said)
    if version is None:
        what = f"the engine's version {said!r} cannot be read" if said else "which engine runs there is not known"
        return StoreThen(_unknown(f"{what}, so neither is the rule by which it takes a store"))
    config = facts[DaemonConfig]
    refused = _refused(config, changes, version)
    if refused is not None:
        return StoreThen(_unknown(f"the engine does not start: {refused}"), refused)
    readings = [_taken(version, given, now) for given in _readings(facts, changes)]
    refusals = [taken for taken in readings if isinstance(taken, str)]
    if refusals:
        if len(refusals) == len(readings):
            return StoreThen(_unknown(f"the engine does not start: {refusals[0]}"), refusals[0])
        return StoreThen(_unknown(f"{_doubt(facts, changes)}: it may be that the engine does not even start"))
    stores = [taken for taken in readings if isinstance(taken, ImageStore)]
    pairs = {(store.kind, store.driver) for store in stores}
    if len(stores) < len(readings) or len(pairs) > 1:
        kinds = sorted({str(store.kind) for store in stores})
        doubt = _doubt(facts, changes)
        return StoreThen(_unknown(f"{doubt}: it may be {' or '.join(kinds) or 'either store'}"))
    if version >= NEWEST and stores[0].kind is G and _feature(config, changes, MIGRATION):
        return StoreThen(_unknown("features.containerd-migration may turn it into containerd at the start"))
    remap = dict(changes.daemon).get("userns-remap")
    return StoreThen(stores[0].model_copy(update={"userns_remap": remap}) if remap else stores[0])


def _unknown(detail: str) -> Unknown:
    return Unknown(reason=Reason.NOT_ASKED, detail=detail)


# ---------------------------------------------------------------- daemon.json then


def setting(config: DaemonConfig | Unknown, changes: Changes, key: str) -> str | None:
    """A key of daemon.json after the change, else the flag of that name."""
    if key in dict(changes.daemon):
        changed = dict(changes.daemon)[key]
        return changed if changed is not None else _flag(config, key)
    if isinstance(config, Unknown):
        return None
    return _text(config.settings.get(key)) or _flag(config, key)


def _text(value: str | None) -> str | None:
    try:
        loaded = json.loads(value) if value is not None else None
    except ValueError:
        return None
    return loaded if isinstance(loaded, str) and loaded else None


def _flag(config: DaemonConfig | Unknown, key: str) -> str | None:
    flags = () if isinstance(config, Unknown) else config.flags
    found = [flag.partition("=")[2] for flag in flags if flag.partition("=")[0] == f"--{key}"]
    return found[-1] if found else None


def features_of(config: DaemonConfig | Unknown) -> dict[str, bool]:
    """The features that daemon.json sets."""
    if isinstance(config, Unknown):
        return {}
    try:
        said = json.loads(config.settings.get("features", "{}"))
    except ValueError:
        return {}
    return {name: value for name, value in said.items() if isinstance(value, bool)} if isinstance(said, dict) else {}


def _feature(config: DaemonConfig | Unknown, changes: Changes, name: str) -> bool | None:
    changed = dict(changes.features)
    return changed[name] if name in changed else features_of(config).get(name)


def _refused(config: DaemonConfig | Unknown, changes: Changes, version: Version) -> str | None:
    """What dockerd says of the file before it looks at a store (moby daemon/config/config.go)."""
    twice = [key for key, value in changes.daemon if value is not None and _flag(config, key) is not None]
    if twice:
        return f"the following directives are specified both as a flag and in the configuration file: {twice[0]}"
    if not isinstance(config, Unknown) and config.error is not None:
        return f"unable to configure the Docker daemon with file {config.path}: {config.error}"
    floor = setting(config, changes, "min-api-version")
    if floor is None:
        return None
    if version < MIN_API_KEY_SINCE:
        return "the following directives don't match any configuration option: min-api-version"
    asked, least = versions.parse(floor), versions.parse(MIN_API_LEAST)
    if asked is not None and least is not None and asked < least:
        return f"minimum supported API version is {MIN_API_LEAST}: {floor}"
    return None


# ---------------------------------------------------------------- what the rule looks at


def _readings(facts: Facts, changes: Changes) -> Iterator[Inputs]:
    """Every reading of the rule's inputs that the facts leave open."""
    now, config = facts[ImageStore], facts[DaemonConfig]
    dark = isinstance(config, Unknown) or isinstance(now, Unknown) or hidden(facts)
    features, daemon = dict(changes.features), dict(changes.daemon)
    feature_now = None if isinstance(now, Unknown) else now.snapshotter_feature
    feature: tuple[bool | None, ...] = (
        (features[FEATURE],) if FEATURE in features else (None, True, False) if dark else (feature_now,)
    )
    driver: tuple[str | None, ...] = (setting(config, changes, "storage-driver"),)
    if dark and "storage-driver" not in daemon:
        driver = (None, "overlay2", "overlayfs")
    remap: tuple[bool, ...] = (bool(daemon.get("userns-remap")),)
    if "userns-remap" not in daemon:
        remap = (bool(now.userns_remap),) if not isinstance(now, Unknown) else (False, True)
    prior = prior_then(facts, changes)
    for one, name, remapped in itertools.product(feature, driver, remap):
        yield Inputs(feature=one, driver=name, prior=prior, userns_remap=remapped)


def prior_then(facts: Facts, changes: Changes) -> tuple[str, ...] | None:
    """Folders with graphdriver data under the data-root when the engine starts; None: not known."""
    now = facts[ImageStore]
    if changes.wipe in ("data-root", "reinstall"):
        return ()
    if isinstance(now, Unknown):
        return None
    config = facts[DaemonConfig]
    unapplied = () if isinstance(config, Unknown) else config.unapplied
    engine = facts[Engine]
    root = None if isinstance(engine, Unknown) else engine.data_root
    daemon = dict(changes.daemon)
    if "userns-remap" in daemon and bool(daemon["userns-remap"]) != bool(now.userns_remap):
        return () if daemon["userns-remap"] else None  # remapped users have a folder of their own below the data-root
    asked = daemon.get("data-root", root)
    if asked != root or any(key.key == "data-root" for key in unapplied):
        return None
    if now.prior_drivers is None and now.kind is G and now.driver in COUNTED:
        return (now.driver,)
    return now.prior_drivers


def hidden(facts: Facts) -> bool:
    """Whether something decides the store that no fact shows (DOCKER_DRIVER, a test switch): the facts' own
    answers for a wipe, an upgrade and a reinstall are then other than what their inputs give."""
    now, engine, config = facts[ImageStore], facts[Engine], facts[DaemonConfig]
    if isinstance(now, Unknown) or isinstance(engine, Unknown) or isinstance(config, Unknown):
        return True
    version = versions.parse(engine.version)
    if version is None:
        return True
    given = Inputs(
        feature=now.snapshotter_feature,
        driver=setting(config, Changes(), "storage-driver"),
        prior=prior_then(facts, Changes()),
        userns_remap=bool(now.userns_remap),
    )
    fresh = replace(given, prior=())
    found = (
        choose(version, fresh).kind,
        choose(max(version, NEWEST), given).kind,
        choose(max(version, NEWEST), fresh).kind,
    )
    return found != (now.after_wipe, now.after_upgrade, now.after_reinstall)


def _doubt(facts: Facts, changes: Changes) -> str:
    """Why there is more than one reading."""
    config = facts[DaemonConfig]
    if isinstance(facts[ImageStore], Unknown):
        return f"the image store of now is not known ({facts[ImageStore]})"
    if isinstance(config, Unknown):
        return f"daemon.json is not known ({config})"
    if hidden(facts):
        return "something else than daemon.json and old data decides the store (DOCKER_DRIVER, or another machine's)"
    if "data-root" in dict(changes.daemon):
        return "whether old graphdriver data lies under the new data-root was not looked at"
    return "it hangs on old graphdriver data, which we may not look for"


# ---------------------------------------------------------------- what the rule takes


def _taken(version: Version, given: Inputs, now: ImageStore | Unknown) -> ImageStore | str | None:
    """The store of one reading; a text: the engine refuses; None: the rule hangs on what is not known."""
    choice = choose(version, given)
    if not choice.starts:
        return choice.text.removesuffix(": the engine does not start")
    if choice.kind is None:
        return None
    driver = _driver(choice, given, now)
    if driver is None:
        return None
    if driver not in REGISTERED and choice.kind is G and driver not in GRAPHDRIVERS_ONCE:
        return f"driver not supported: {driver}"
    if choice.kind is C and driver in NO_SNAPSHOTTERS:
        return f'configured driver "{driver}" not available: unavailable'
    several = [name for name in given.prior or () if name in COUNTED]
    if choice.kind is G and not given.driver and len(several) > 1:
        return f"the data-root contains several valid graphdrivers: {', '.join(several)}"
    prior = given.prior
    if choice.kind is G and driver in COUNTED and prior is not None and driver not in prior:
        prior = (*prior, driver)
    after = replace(given, prior=prior)
    fresh = replace(given, prior=())
    same = not isinstance(now, Unknown) and (now.kind, now.driver) == (choice.kind, driver)
    return ImageStore(
        kind=choice.kind,
        driver=driver,
        driver_type=CONTAINERD_TYPE if choice.kind is C else None,
        backing_fs=now.backing_fs if same and not isinstance(now, Unknown) else None,
        why=choice.why,
        why_text=choice.text,
        prior_drivers=prior,
        snapshotter_feature=given.feature,
        userns_remap=_remapped(given, now),
        after_wipe=choose(version, fresh).kind,
        after_upgrade=choose(max(version, NEWEST), after).kind,
        after_reinstall=choose(max(version, NEWEST), fresh).kind,
    )


def _remapped(given: Inputs, now: ImageStore | Unknown) -> str | None:
    if not given.userns_remap:
        return None
    return (None if isinstance(now, Unknown) else now.userns_remap) or "in force"


def _driver(choice: Choice, given: Inputs, now: ImageStore | Unknown) -> str | None:
    """The driver or snapshotter: the one configured, else the one whose data is there, else the engine's default."""
    before = None if isinstance(now, Unknown) else now
    if given.driver and not (choice.why == "prior-data" and given.driver not in REGISTERED):
        return given.driver
    if choice.kind is C:
        return "native" if before is not None and before.kind is C and before.driver == "native" else "overlayfs"
    if given.prior is None:
        return before.driver if before is not None and before.kind is G else None
    data = [name for name in PRIORITY if name in given.prior and name != "vfs"]
    if data:
        return data[0]
    if before is not None and before.kind is G:
        return before.driver
    if before is not None and before.driver in ("overlayfs", "btrfs", "zfs", "fuse-overlayfs"):
        return "overlay2"
    return None
