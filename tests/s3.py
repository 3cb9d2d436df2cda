"""A local S3, for what is kept in buckets."""

from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def local_s3(bucket: str) -> Iterator[str]:
    """The URL of a bucket; s3fs finds it by its environment as long as the context lasts."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "word")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        # One that other tests have used knows another server.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        # All servers of a process have the same buckets, and this is not its first one for certain.
        fsspec.filesystem("s3").makedirs(bucket, exist_ok=True)
        yield f"s3://{bucket}"
        server.stop()
        fsspec.get_filesystem_class("s3").clear_instance_cache()
