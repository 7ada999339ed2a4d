"""Who reads images, and what each makes of a shape; only what users reported is claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Form = Literal["schema2", "oci", "mixed", "list", "index", "attested"]
"""What a consumer meets: a flat Docker manifest, a flat OCI one, a flat OCI one with Docker's layer types, a Docker
manifest list, an OCI index of images alone, an index with attestations."""

FORMS: Mapping[Form, str] = {
    "schema2": "a flat Docker manifest (schema2)",
    "oci": "a flat OCI manifest",
    "mixed": "a flat OCI manifest with Docker layer types",
    "list": "a Docker manifest list",
    "index": "an OCI index of images alone",
    "attested": "an index with attestations",
}


class Grade(StrEnum):
    """What a consumer makes of an image."""

    OK = "OK"
    WARN = "WARN"
    BY_DIGEST = "BY DIGEST ONLY"
    FAIL = "FAIL"
    UNKNOWN = "CANNOT TELL"


@dataclass(frozen=True)
class Consumer:
    """One reader of images.

    Attributes:
        id: as --target takes it.
        about: what it is, with its versions.
        takes: shapes that it is known to take.
        refuses: shapes that it does not, each with the grade and the symptom that says so.
        note: what to know besides.
    """

    id: str
    about: str
    takes: tuple[Form, ...]
    refuses: Mapping[Form, tuple[Grade, str]]
    note: str = ""

    @property
    def symptoms(self) -> tuple[str, ...]:
        """The symptoms that its users see."""
        return tuple(dict.fromkeys(symptom for _, symptom in self.refuses.values()))


_FLAT: tuple[Form, ...] = ("schema2", "oci", "mixed")
_ALL: tuple[Form, ...] = ("schema2", "oci", "mixed", "list", "index", "attested")


def _all(grade: Grade, symptom: str, *forms: Form) -> dict[Form, tuple[Grade, str]]:
    return dict.fromkeys(forms, (grade, symptom))


_F, _W, _D = Grade.FAIL, Grade.WARN, Grade.BY_DIGEST
_MANY: tuple[Form, ...] = ("list", "index", "attested")
_OCI_MANY: tuple[Form, ...] = ("index", "attested")

_TABLE = (
    Consumer("docker-manifest", "`docker manifest create` of a client of 23.0 or newer", _FLAT, _all(_F, "S1", *_MANY)),
    Consumer(
        "docker-manifest-20.10",
        "`docker manifest create` of a client before 23.0",
        ("schema2",),
        _all(_F, "S2", "oci", "mixed", "index", "attested") | _all(_F, "S1", "list"),
    ),
    Consumer(
        "imagetools",
        "`docker buildx imagetools create` of 0.13 or newer",
        _ALL,
        {},
        note="it writes no os.version: Windows images of several builds need another tool (S30)",
    ),
    Consumer("aws-lambda", "AWS Lambda", ("schema2", "oci"), _all(_F, "S3", *_MANY)),
    Consumer("ecr-scan", "Amazon ECR's image scan", ("schema2", "oci"), _all(_D, "S6", *_OCI_MANY)),
    Consumer("ecr-lifecycle", "Amazon ECR's lifecycle rules", _FLAT, _all(_W, "S7", *_MANY)),
    Consumer(
        "ghcr-cleanup",
        "clean-up of untagged versions on GHCR that does not read indexes",
        _FLAT,
        _all(_W, "S8", *_MANY),
    ),
    Consumer("gcr", "Google Container Registry's listing", _FLAT, _all(_W, "S5", "attested")),
    Consumer("listings", "listings of GHCR, Gitea and others", (*_FLAT, "list", "index"), _all(_W, "S9", "attested")),
    Consumer("cloud-run-2023", "Cloud Run before February 2023", ("schema2",), _all(_F, "S4", *_OCI_MANY)),
    Consumer("acr-task-2023", "ACR tasks of 2023", ("schema2",), _all(_F, "S16", *_OCI_MANY)),
    Consumer(
        "azure-aci-2023",
        "Azure Container Instances of 2023",
        ("schema2",),
        _all(_W, "S16", *_OCI_MANY),
        note="probable, not confirmed",
    ),
    Consumer("kind", "`kind load docker-image`", _FLAT, _all(_W, "S21", *_MANY)),
    Consumer("k3d", "`k3d image import`", _FLAT, _all(_W, "S21", *_MANY)),
    Consumer("ctr", "`ctr images import` of a `docker save`", _FLAT, _all(_W, "S21", *_MANY)),
    Consumer("quay-old", "an old self-hosted Quay", ("schema2",), _all(_F, "S10", *_OCI_MANY)),
    Consumer("artifactory-6", "Artifactory before 7.11.1", ("schema2",), _all(_F, "S10", "oci", "mixed", *_OCI_MANY)),
    Consumer(
        "harbor-1",
        "Harbor 1",
        ("schema2",),
        _all(_W, "S10", *_OCI_MANY),
        note="a maintainer's suspicion, not confirmed",
    ),
    Consumer("replicated", "Replicated's registry", ("schema2",), _all(_F, "S10", *_OCI_MANY)),
    Consumer("gitea-old", "an old Gitea's registry", ("schema2",), _all(_F, "S11", *_OCI_MANY)),
    Consumer("yandex", "Yandex's registry", ("schema2",), _all(_F, "S11", *_OCI_MANY)),
    Consumer(
        "gitlab", "GitLab's registry", ("schema2",), _all(_W, "S11", *_OCI_MANY), note="one report, of a 404 on PUT"
    ),
    Consumer("cloudfoundry", "Cloud Foundry's dockerapplifecycle", ("schema2",), _all(_F, "S12", *_OCI_MANY)),
    Consumer("dotnet-registry", "Docker.Registry.DotNet", ("schema2",), _all(_F, "S12", *_OCI_MANY)),
    Consumer(
        "opam-health-check", "opam-health-check with docker_hub 0.1.1", ("schema2", "list"), _all(_F, "S13", "attested")
    ),
    Consumer(
        "argocd-image-updater",
        "argocd-image-updater with the digest strategy",
        ("schema2", "list"),
        _all(_W, "S14", "attested"),
        note="probable; the report is still open",
    ),
    Consumer("watchtower-2023", "Watchtower of 2023", ("schema2",), _all(_W, "S15", *_OCI_MANY)),
    Consumer(
        "platform-checkers",
        "scripts that count the platforms of an image",
        (*_FLAT, "list", "index"),
        _all(_F, "S17", "attested"),
    ),
    Consumer(
        "attestation-verify",
        "Conforma, `gh attestation verify`, cosign on a merged tag",
        _FLAT,
        _all(_W, "S18", *_MANY),
        note="only where the digest of the index itself was not attested after the merge",
    ),
    Consumer(
        "reproducible-builds",
        "checks that compare the digests of two builds",
        (*_FLAT, "list", "index"),
        _all(_W, "S19", "attested"),
    ),
)

CONSUMERS: Mapping[str, Consumer] = {consumer.id: consumer for consumer in _TABLE}
"""Every consumer by id."""


def consumers_of(symptom: str) -> tuple[str, ...]:
    """The consumers whose users see a symptom."""
    return tuple(consumer.id for consumer in _TABLE if symptom in consumer.symptoms)
