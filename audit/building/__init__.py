"""Builds run for real: a session on each worker, the registry asked what arrived, another worker tried where one fails.

    with Client(options) as client:
        builds = Builds(plan, Site(...), client)
        report = builds.run()

What a worker runs and what its answers mean is `audit.buildstep`'s; who builds what is `audit.plan`'s.
"""

from audit.building.driving import Builds, Site
from audit.building.locks import held
from audit.building.logs import Logs
from audit.building.material import Context, Material, login_of, secrets_of
from audit.building.merged import merged

__all__ = ["Builds", "Context", "Logs", "Material", "Site", "held", "login_of", "merged", "secrets_of"]
