"""How fast registries are asked: one bucket for each registry and account, for all threads and processes of a user.

    limiter = Limiter(state / "pace", rates={"registry.example": 600})
    with Client(options, limiter=limiter) as client:
        ...
    limiter.state("docker.io", client.account("docker.io"))

The rooms: `bucket` (rate, bursts, 429s), `health` (a registry that is down) and `quota` (Docker Hub's pulls) are pure
state machines, `state` puts them together and reads and writes them as text; `shared` keeps that text in a file under a
lock; `rates` holds what is known of registries; `limiter` is what is used from outside, and the only one that waits.
"""

from audit.registry.pace.limiter import Limiter, PaceNow, Stopped
from audit.registry.pace.rates import RATES

__all__ = ["RATES", "Limiter", "PaceNow", "Stopped"]
