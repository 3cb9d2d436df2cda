"""Whether a worker of this machine is alive: what the health check of a container asks.

    python -m workers.probe [--ready]

Exits 0 if one has been heard of lately. While Redis is away nobody can tell, and to start a worker
again would not help, so that is an error only with `--ready`.
"""

import socket
import sys

from redis import Redis, RedisError

from workers.presence import alive_workers
from workers.redis import connect
from workers.settings import Settings


def fault(redis: Redis, *, ready: bool) -> str | None:
    """What is wrong, or None. `ready` also asks whether Redis answers."""
    try:
        workers = alive_workers(redis)
    except RedisError:
        return "the broker does not answer" if ready else None
    here = socket.gethostname()
    if any(name.rpartition(":")[0] == here for name in workers):
        return None
    return f"no worker of {here} has been heard of lately"


def main() -> None:
    redis = connect(Settings().require("broker_url"))
    sys.exit(fault(redis, ready="--ready" in sys.argv[1:]))


if __name__ == "__main__":
    main()
