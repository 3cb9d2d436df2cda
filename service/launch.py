"""Start the web processes, and stop them without cutting anyone off."""

import os
import shutil

import uvicorn

from service.settings import ServiceSettings

# A request that waits for a job is answered 202 within a second of the signal; uploads that are
# on their way get this long.
_GRACE_S = 10


def run(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT. Blocks.

    The processes read their settings from the environment, which is set here to these.
    """
    settings.export()
    if settings.web_processes > 1:
        _share_metrics(settings)
    uvicorn.run(
        "service.app:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.web_processes,
        log_config=None,  # ours is set up in every process
        access_log=False,  # ours tells more
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
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
    run(settings)


if __name__ == "__main__":
    main()
