import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pointaction.cli import app
from pointaction.errors import InputError


def test_help_is_given_without_torch() -> None:
    program = "import sys, pointaction.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_a_recipe_that_is_not_there_is_answered_with_those_there_are(command: str) -> None:
    done = CliRunner().invoke(app, [command, "huge"])
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("'huge' is not one of: tiny, full, quick")
