import pytest

from pointaction.errors import InputError
from pointaction.models.limits import expect_share


def test_dropout_leaves_something() -> None:
    expect_share(0)
    with pytest.raises(InputError, match="got 1"):
        expect_share(1)
