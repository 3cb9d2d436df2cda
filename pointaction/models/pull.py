"""Fetch the weights of others into a model store: once, checked, and as safetensors.

What an interruption leaves is a partial download that the next call goes on with; the store itself
has the weights whole or not at all.
"""

import os
import shutil
from collections.abc import Mapping
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pointaction.errors import DamagedWeights, InputError, MissingExtra
from pointaction.models.digests import digest
from pointaction.models.downloads import BACKBONE, Download, Receipt
from pointaction.models.fetch import Progress, fetch
from pointaction.models.networks import check_fit
from pointaction.models.room import expect_room, writing

_WRAPPERS = ("model", "state_dict")  # under which some checkpoints keep their weights


def pull(
    store: Path,
    download: Download,
    *,
    file: Path | None = None,
    accept_licence: bool = False,
    progress: Progress = lambda done, total: None,
) -> Receipt:
    """Install the download's weights from its address, or from a `file` or folder of them.

    Raises InputError where the licence has to be accepted first, nothing can be fetched or the
    disk is full, and DamagedWeights where bytes or keys are not the official ones.
    """
    if not (download.commercial_use or accept_licence):
        raise InputError(
            f"{download.name} is under {download.licence}, which forbids commercial use; give "
            "--accept-licence if you may use it so"
        )
    if download.builder == BACKBONE and find_spec("transformers") is None:
        raise MissingExtra(f"the backbone {download.name}", extra="appearance")
    (store / download.name).mkdir(parents=True, exist_ok=True)
    install = _install_backbone if download.builder == BACKBONE else _install_weights
    receipt = install(store, download, file, progress)
    receipt.save(store / download.receipt)
    return receipt


def _install_weights(
    store: Path, download: Download, file: Path | None, progress: Progress
) -> Receipt:
    """Of a network of ours: official weights of any make become one file of safetensors."""
    part = store / download.name / "download.part"
    if file is None:
        found = fetch(download.url, part, sha256=download.sha256, progress=progress)
    else:
        found = _digest_of(file, download.sha256)
    try:
        weights = _read(file or part)
        check_fit(download, weights)
    except DamagedWeights:
        if file is None:
            part.unlink()  # or the next call would take it for good
        raise
    receipt = Receipt(
        source=file.name if file else download.url,
        source_sha256=found,
        sha256=_save(weights, store / download.weights),
        licence=download.licence,
        pulled=date.today().isoformat(),
    )
    part.unlink(missing_ok=True)
    return receipt


def _digest_of(file: Path, sha256: str | None) -> str:
    """What somebody else has fetched has to be the official file as well."""
    try:
        found = digest(file)
    except FileNotFoundError:
        raise InputError(f"{file} is not there") from None
    except IsADirectoryError:
        raise InputError(f"{file} is a folder; give the file of weights that is in it") from None
    if sha256 and found != sha256:
        raise DamagedWeights(
            f"{file.name} has SHA-256 {found}, expected was {sha256}; fetch it again",
            limit=sha256,
            value=found,
        )
    return found


def _install_backbone(
    store: Path, download: Download, given: Path | None, progress: Progress
) -> Receipt:
    """Files as they are, once the network that they are opens. All of them are new or none is."""
    from pointaction.appearance.backbones import open_backbone

    folder = store / download.weights
    incoming = folder / "incoming"  # what an earlier call has fetched is there
    if given:
        shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(exist_ok=True)
    for name in download.files:
        if given:
            _copy(given / name, incoming / name)
        elif not (incoming / name).exists():
            part = incoming / f"{name}.part"
            fetch(download.url + name, part, sha256=None, progress=progress)
            os.replace(part, incoming / name)
    try:
        sha256 = open_backbone(incoming).sha256
    except (DamagedWeights, InputError):
        shutil.rmtree(incoming)  # or the next call would take it for good
        raise
    found = {name: digest(incoming / name) for name in download.files}
    (store / download.receipt).unlink(missing_ok=True)
    for name in download.files:
        os.replace(incoming / name, folder / name)
    shutil.rmtree(incoming)
    return Receipt(
        source=given.name if given else download.url,
        source_sha256=sha256,
        sha256=sha256,
        licence=download.licence,
        pulled=date.today().isoformat(),
        files=found,
    )


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise InputError(
            f"{source} is not there; --from is the folder with the official files, as safetensors: "
            "a pickle could run anything, and is not opened"
        )
    with writing(target):
        expect_room(target, source.stat().st_size)
        shutil.copyfile(source, target)


def _read(path: Path) -> Mapping[str, Tensor]:
    """Weights by name, of safetensors or of a checkpoint that holds nothing but data."""
    try:
        with path.open("rb") as file:
            pickled = file.read(2) in (b"PK", b"\x80\x02")
        held = torch.load(path, "cpu", weights_only=True) if pickled else load_file(path)
    except (UnpicklingError, RuntimeError, EOFError, SafetensorError) as error:
        raise DamagedWeights(
            f"{path.name} is no checkpoint that can be read safely: {error}"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(held, dict) and isinstance(held.get(wrapper), dict):
            held = held[wrapper]
    if not (isinstance(held, dict) and all(isinstance(part, Tensor) for part in held.values())):
        raise DamagedWeights(f"{path.name} holds something else than weights by name")
    return held


def _save(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write safetensors at once; their SHA-256."""
    part = path.with_suffix(".part")
    with writing(part):
        save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, part)
    part.chmod(0o644)  # safetensors makes it private
    written = digest(part)
    os.replace(part, path)
    return written
