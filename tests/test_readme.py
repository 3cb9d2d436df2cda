"""What the README promises is there."""

import re
from pathlib import Path

from service.settings import ServiceSettings

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def test_the_table_has_every_setting_and_no_other() -> None:
    documented = re.findall(r"^\| `POINTACTION_(\w+)`", README, flags=re.MULTILINE)
    assert sorted(documented) == sorted(name.upper() for name in ServiceSettings.model_fields)


def test_every_command_exists() -> None:
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text()
    for word in set(re.findall(r"(?:^|`)make (\w+)", README, flags=re.MULTILINE)):
        assert re.search(rf"^{word}:", makefile, flags=re.MULTILINE), word


def test_every_linked_file_exists() -> None:
    root = Path(__file__).resolve().parents[1]
    for link in re.findall(r"\]\(([\w./-]+)\)", README):
        assert (root / link).exists(), link
