"""How many requests a minute a registry is asked at most, where the caller says nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from audit.image.reference import DOCKER_HUB

RATES: Mapping[str, float] = {
    # "Thousands of requests per minute" for an address, tightened at times without notice (docker/hub-feedback#2511);
    # docker-library's own tools keep to 300 (docker-library/meta-scripts@205031a:registry/rate-limits.go).
    DOCKER_HUB: 300.0,
    # Its own 429s name 2,000 a minute for pushes, 44,000 for reads (falcosecurity/plugins#1069); a quarter is left to
    # whatever else the account does.
    "ghcr.io": 1500.0,
    # "A few requests per second" for an address and endpoint, with bursts (access.redhat.com/solutions/6218921).
    "quay.io": 300.0,
    # 10 completed uploads a second (docs.aws.amazon.com/AmazonECR/latest/public/public-service-quotas.html): half.
    "public.ecr.aws": 300.0,
}
"""Requests a minute, by registry. For every other one none is known: it is asked as fast as it answers, until a 429."""
