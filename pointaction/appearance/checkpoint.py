"""A network as `transformers` saves it, in a local folder. Reads safetensors and JSON alone."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.digests import digest

_CONFIG = "config.json"
_INDEX = "model.safetensors.index.json"
_PROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
_PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
_SAVE = "in Python: model.save_pretrained(FOLDER)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What lies in the folder; the weights are read when they are asked for."""

    where: Path
    config: dict[str, Any]
    processor: dict[str, Any]  # how frames are prepared; empty where the folder does not say
    weights: tuple[Path, ...]
    sha256: str  # of the digests of all these files, a line each

    @classmethod
    def find(cls, path: Path) -> "Checkpoint":
        """That of a folder, or of a safetensors file with its config.json beside it.

        Raises InputError that says what is missing or refused.
        """
        folder = path if path.is_dir() else path.parent
        if not path.exists():
            raise InputError(
                f"{path} is not there; give a folder with {_CONFIG} and model.safetensors, as "
                f"transformers saves it, {_SAVE}"
            )
        weights = _weights(folder) if path.is_dir() else (_safe(path),)
        processor = next((folder / name for name in _PROCESSORS if (folder / name).exists()), None)
        files = [folder / _CONFIG, *([processor] if processor else []), *weights]
        config = _read(folder / _CONFIG)
        digests = "\n".join(digest(file) for file in files)
        return cls(
            where=path,
            config=config,
            processor=_read(processor) if processor else {},
            weights=weights,
            sha256=hashlib.sha256(digests.encode()).hexdigest(),
        )

    def state(self) -> dict[str, Tensor]:
        """The weights by name; DamagedWeights where a file is not what its name says."""
        state: dict[str, Tensor] = {}
        for file in self.weights:
            try:
                state |= load_file(file)
            except SafetensorError as error:
                raise DamagedWeights(
                    f"{file} is no safetensors file ({error}); fetch it again"
                ) from error
        return state


def _weights(folder: Path) -> tuple[Path, ...]:
    """The safetensors files that belong together."""
    if (folder / _INDEX).exists():
        table = _read(folder / _INDEX).get("weight_map")
        names = sorted({Path(str(name)).name for name in table.values()}) if table else []
        missing = [name for name in names if not (folder / name).exists()]
        if missing or not names:
            raise InputError(
                f"{folder / _INDEX} names {', '.join(missing) or 'no files'}, which "
                f"{'are' if len(missing) > 1 else 'is'} not there; fetch the whole folder again"
            )
        return tuple(_safe(folder / name) for name in names)
    found = sorted(folder.glob("*.safetensors"))
    if len(found) == 1:
        return (found[0],)
    if found:
        names = [file.name for file in found]
        raise InputError(f"{folder} has {', '.join(names)}; give the file that is meant")
    pickles = sorted(file for file in folder.iterdir() if file.suffix in _PICKLES)
    if pickles:
        raise _refused(pickles[0])
    raise InputError(f"{folder} has no weights; put model.safetensors there, {_SAVE}")


def _safe(file: Path) -> Path:
    if file.suffix != ".safetensors":
        raise _refused(file)
    return file


def _refused(file: Path) -> InputError:
    return InputError(
        f"{file} is not opened: only safetensors are, for opening a pickle can run anything. Save "
        f"it with transformers where you trust it, {_SAVE}"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path} is missing; it says what the weights beside it are the weights of, so put it "
            "there from where they came"
        ) from None
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}); fetch it again") from error
    if not isinstance(told, dict):
        raise InputError(f"{path} is no table of settings; fetch it again")
    return told
