from collections.abc import Iterator

import fsspec
import pytest
from moto.server import ThreadedMotoServer


@pytest.fixture(scope="package")
def s3() -> Iterator[str]:
    """The URL of a bucket of a local S3."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "word")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        fsspec.get_filesystem_class(
            "s3"
        ).clear_instance_cache()  # one that other tests have used knows another server
        # All servers of a process have the same buckets, and this is not its first one for certain.
        fsspec.filesystem("s3").makedirs("tracks", exist_ok=True)
        yield "s3://tracks"
        server.stop()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
