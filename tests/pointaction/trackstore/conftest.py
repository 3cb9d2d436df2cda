from collections.abc import Iterator

import pytest

from tests.s3 import local_s3


@pytest.fixture(scope="package")
def s3() -> Iterator[str]:
    """The URL of a bucket of a local S3."""
    with local_s3("tracks") as url:
        yield url
