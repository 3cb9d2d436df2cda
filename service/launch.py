"""Start the web processes, and stop them without cutting anyone off."""

import os
import shutil
import sys

import uvicorn
from redis.exceptions import RedisError

from pointaction.errors import InputError, PointActionError
from service.keys import KeyStore
from service.settings import ServiceSettings
from workers.logs import logger
from workers.redis import connect

# A request that waits for a job is answered 202 within a second of the signal; uploads that are
# on their way get this long.
_GRACE_S = 10

log = logger(__name__)


def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT. Blocks. To be called when `check_exposure` has passed.

    The processes read their settings from the environment, which is set here to these.
    """
    settings.export()
    if settings.web_processes > 1:
        _share_metrics(settings)
    uvicorn.run(
        "service.app:from_environment",
        factory=True,
        loop="service.fair_loop:FairLoop" if settings.web_processes > 1 else "auto",
        host=settings.host,
        port=settings.port,
        http="service.connection:Connection",
        workers=settings.web_processes,
        log_config=None,  # ours is set up in every process
        access_log=False,  # ours tells more
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def check_exposure(settings: ServiceSettings) -> None:
    """Raises InputError where others than this machine could come, and nobody has a key.

    They would all be sent away, so it is better known at once.
    """
    if settings.open and settings.reachable:
        log.warning("everyone who reaches it is let in", host=settings.host)
    if settings.open or not settings.reachable or settings.keys:
        return
    redis = connect(settings.require("broker_url"))
    try:
        if KeyStore(redis).any_opens():
            return
    except RedisError as error:  # until it answers, everyone is sent away
        log.warning("keys not read", error=str(error))
        return
    finally:
        redis.close()
    raise InputError(
        f"{settings.host} can be reached from elsewhere, and nobody has a key. Make one with "
        "`pointaction keys create NAME`, or let everyone in with --open (POINTACTION_OPEN=true)"
    )


def _share_metrics(settings: ServiceSettings) -> None:
    """Let the processes add up their counts through files, begun anew.

    prometheus_client reads the variable when it is imported, so this comes before any of it.
    """
    folder = settings.data_dir / "metrics"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.resolve())


def main() -> None:
    from workers.logs import configure

    settings = ServiceSettings()
    configure(settings)
    try:
        check_exposure(settings)
        run(settings)
    except PointActionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
