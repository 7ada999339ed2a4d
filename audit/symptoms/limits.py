"""Limits: pulls, requests, logins."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

SYMPTOMS = (
    Symptom(
        id="S24",
        title="the registry's pull limit for clients that did not log in",
        nature="configuration",
        where="a worker that pulls base images",
        cause="The worker pulls without a login, and the pulls of its IPv4 address (or IPv6 /64) are used up; a whole "
        "site behind one address shares them.",
        do="log in for pulls, or pull through a mirror; waiting helps for as long as the window lasts",
        fixes=(
            "Log in on the worker for pulls too (`docker login` as the user of the build service).",
            "Pull base images through a registry mirror or a cache on the site.",
            "Run fewer builds at once from one address; `ratelimit-remaining` in a HEAD of a manifest says what is "
            "left.",
        ),
        signatures=(
            seen("unauthenticated pull rate limit", score=92),
            seen("pull rate limit", "by authenticating and upgrading", score=84),
        ),
        refs=("docker/hub-feedback#2464",),
        rules=("FA409",),
        leads_to=("R-abuse", "R-source"),
    ),
    Symptom(
        id="S25",
        title="Docker Hub's abuse limit (HAP429)",
        nature="transient",
        where="any call to Docker Hub",
        cause="Too many requests a minute from one address, whatever the plan; Docker Hub answered with a reply that "
        "is not proper HTTP, hence the odd text.",
        do="wait a minute, then send fewer requests: one push at a time, or a merge that needs fewer",
        fixes=(
            "Wait at least 60 seconds, or as long as Retry-After says, before the next request from this address.",
            "Merge with a tool that puts the manifest first and mounts only what is missing; `docker manifest push` "
            "sends five requests a blob.",
            "Keep all workers behind one address below about 300 requests a minute.",
        ),
        signatures=(
            seen(r"malformed MIME header line: Too Many Requests", score=95),
            seen(r"Too Many Requests \(HAP429\)", score=94),
        ),
        refs=("docker/hub-feedback#1907",),
        leads_to=("R-abuse", "R-network", "R-server"),
    ),
    Symptom(
        id="R-pull-quota",
        title="the account's pull quota is used up",
        nature="transient",
        where="a pull, or a merge that reads its sources",
        cause="The account has pulled as many manifests as its plan allows in the window (GETs of manifests count, "
        "HEADs and pushes do not).",
        do="wait for the window to slide (up to 6 hours), or use an account with a larger quota",
        fixes=(
            "Wait as long as `ratelimit-remaining` and the window in `ratelimit-limit` say; pushes may go on "
            "meanwhile.",
            "Sign in with an account of a paid plan, or pull base images through a mirror.",
            "Ask by HEAD, and fetch a manifest by digest only once.",
        ),
        signatures=(
            seen("You have reached your pull rate limit", score=88),
            seen("increase-rate-limit", score=82),
        ),
        refs=("docker/hub-feedback#2464",),
        leads_to=("R-abuse", "R-source"),
    ),
    Symptom(
        id="R-abuse",
        title="the registry limits the rate of requests (429)",
        nature="transient",
        where="any call to a registry",
        cause="More requests a minute came from this address or account than the registry allows.",
        do="wait as long as Retry-After says (60 seconds where it says nothing), then go slower",
        fixes=(
            "Pause all requests to that registry, then go on at half the rate.",
            "Run fewer pushes and merges at once.",
        ),
        signatures=(
            seen("error parsing HTTP 429", score=80),
            seen("429 Too Many Requests", score=60),
            *(
                seen(said, r"[^\d]429\b", score=58)
                for said in ("unexpected status", "status code", "response status", "HTTP status")
            ),
            seen("toomanyrequests", score=50),
        ),
        refs=("docker/hub-feedback#1907", "docker/buildx#3630", "docker/build-push-action#1194"),
    ),
    Symptom(
        id="R-ghcr-rate",
        title="GHCR limits the rate of requests",
        nature="transient",
        where="ghcr.io",
        cause="GHCR allows so many requests a minute to an account; the time to wait stands in the body, not in a "
        "header.",
        do="wait as long as the message says (minutes for a secondary limit), then go slower",
        fixes=(
            "Wait as long as `retry-after` in the message says, at least a second.",
            "After `secondary rate limit` wait 2 minutes, then 5.",
        ),
        signatures=(
            seen(r"retry-after: (?P<wait>[\d.]{1,20}(?:ns|us|ms|s|m|h))", r"allowed: \d{1,9}/minute", score=90),
            seen("secondary rate limit", score=88),
        ),
        refs=("chainguard-images/images#173", "falcosecurity/plugins#1069"),
    ),
    Symptom(
        id="R-rest-quota",
        title="the rate limit of Docker Hub's web API",
        nature="transient",
        where="hub.docker.com's REST API, which is not the registry",
        cause="Calls to hub.docker.com are limited apart from the registry; its Retry-After is a moment (UNIX time), "
        "not a number of seconds.",
        do="wait until the moment in X-RateLimit-Reset",
        fixes=("Wait until X-RateLimit-Reset; read Retry-After there as a UNIX time.", "Ask the registry instead."),
        signatures=(seen("Docker Hub API rate limit exceeded", score=90),),
        refs=("docker/hub-feedback#2459",),
    ),
    Symptom(
        id="R-login-lock",
        title="the account is locked for a while after too many failed logins",
        nature="configuration",
        where="a login or a token request",
        cause="A wrong password or token was tried again and again; each try lengthens the lock.",
        do="stop every job that logs in as this user for 15 minutes, and mend the secret first",
        fixes=(
            "Stop whatever logs in as this user; the lock ends 10 to 15 minutes after the last failed try.",
            "Check the secret by hand once; never try again in a loop after a refused login.",
        ),
        signatures=(
            seen("too many failed login attempts", score=93),
            seen("you have been locked out", score=90),
        ),
        refs=("docker/hub-feedback#2201", "docker/hub-feedback#2217"),
        leads_to=("R-denied", "R-abuse"),
    ),
)
