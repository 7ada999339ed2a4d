"""Who may do what at the registry."""

from __future__ import annotations

from audit.symptoms import Symptom, seen

SYMPTOMS = (
    Symptom(
        id="R-denied",
        title="the registry refuses this account",
        nature="configuration",
        where="a pull, push or merge",
        cause="The client sent no credentials, wrong ones, or those of an account that may not do this in that "
        "repository; some registries say the same of a repository that does not exist.",
        do="log in as an account that may, in the environment of the user that runs the build; do not retry before",
        fixes=(
            "Log in as the user (and with the HOME or DOCKER_CONFIG) that runs the builds; a login in your own shell "
            "does not count for a service.",
            "Check that the account may push to that repository, and that the repository exists.",
            "Stop what retries: failed logins lock the account.",
        ),
        signatures=(
            seen("push access denied", "repository does not exist", score=72),
            seen(
                r"pull access denied for (?P<repository>[^\s,]{1,200})",
                score=70,
                says="the registry refuses to show {repository}, or has no such repository",
            ),
            seen("denied: requested access to the resource is denied", score=72),
            seen("denied: installation not allowed", score=74),
            seen("installation not allowed to write organization package", score=74),
            seen(
                "unauthorized: incorrect username or password",
                score=74,
                says="the registry refuses the password or token",
            ),
            seen("unauthorized: authentication required", score=68),
            seen("insufficient_scope: authorization failed", score=70),
            seen("no basic auth credentials", score=76, says="the client has no credentials for this registry"),
            seen("unauthorized: ", score=55),
            seen("401 Unauthorized", score=48),
            seen("403 Forbidden", score=48),
            seen("permission_denied: ", score=60),
        ),
        refs=("docker/build-push-action#463",),
        rules=("FA409", "FA410"),
        leads_to=("R-source", "R-placing"),
    ),
    Symptom(
        id="R-token",
        title="the registry's token is too old or too narrow",
        nature="transient",
        where="a long push or merge",
        cause="The token that the client holds has run out, or was given for another repository or action.",
        do="run it again: the client fetches a new token",
        fixes=(
            "Run it again; where it stays, the account lacks the right: see R-denied.",
            "Check the clock of this machine and of the registry: a token is valid from its own clock's now.",
        ),
        signatures=(
            seen(r"error=\"?invalid_token", score=66),
            seen(r"error=\"?insufficient_scope", score=66),
        ),
        rules=("FA006",),
    ),
    Symptom(
        id="R-policy",
        title="the registry does not let this tag be moved",
        nature="permanent",
        where="a push of a tag that exists",
        cause="Tags of this repository are immutable, and the tag is there already; or the registry does not take "
        "this method.",
        do="compare the digests: the same one means that the push is done; another one needs another tag",
        fixes=(
            "Compare the tag's digest with yours: where they agree nothing is left to do.",
            "Push under a new tag, or lift the immutability of the repository.",
        ),
        signatures=(
            seen("ImageTagAlreadyExists", score=88),
            seen("cannot be overwritten because the", "immutable", score=88),
            seen(r"\btags?\b[^\n]{0,200}", "immutable", score=80),
            seen("405 Method Not Allowed", score=50),
        ),
    ),
)
