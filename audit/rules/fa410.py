"""Credentials are not kept in plain base64."""

from __future__ import annotations

from audit.facts.credentials import Credentials
from audit.model import Severity
from audit.rule import Result, Rule, fail, ok
from audit.rules.fa409 import line

rule = Rule(
    id="FA410",
    title="Credentials are not kept in plain base64",
    severity=Severity.NOTE,
    why="`docker login` without a helper writes the password into config.json, readable by every process of the "
    "account and copied by every backup.",
    symptom="WARNING! Your credentials are stored unencrypted in '/root/.docker/config.json'.",
    remedy="Use a credential helper (credsStore, credHelpers), or a token that can only push to staging and expires.",
    refs=("docs.docker.com/reference/cli/docker/login (credential stores)",),
)


def check(credentials: Credentials) -> Result:
    """Helpers and identity tokens are fine."""
    plain = [found for found in credentials.found if found.keeping == "plain"]
    if plain:
        names = ", ".join(dict.fromkeys(found.registry for found in plain))
        return fail(f"the password for {names} is kept in plain base64", *(line(found) for found in plain))
    return ok(
        "no password is kept in plain base64",
        *([line(found) for found in credentials.found] or ["no config.json of the builds or the login holds any"]),
    )
