"""Fetch the weights of others into a model store: once, checked, and as safetensors.

What an interruption leaves is a partial download that the next call goes on with; the store itself
has the weights whole or not at all.
"""

import os
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from pointaction.errors import DamagedWeights, InputError
from pointaction.models.digests import digest
from pointaction.models.downloads import Download, Receipt
from pointaction.models.networks import check_fit

Progress = Callable[[int, int | None], None]
"""Told the bytes here so far, and in all where that is known."""

_WRAPPERS = ("model", "state_dict")  # under which some checkpoints keep their weights
_DIGEST = re.compile(r'"?([0-9a-f]{64})"?')


def pull(
    store: Path,
    download: Download,
    *,
    file: Path | None = None,
    accept_licence: bool = False,
    progress: Progress = lambda done, total: None,
) -> Receipt:
    """Install the download's weights from its address, or from a `file` of them.

    Raises InputError where the licence has to be accepted first or nothing can be fetched, and
    DamagedWeights where bytes or keys are not the official ones.
    """
    if not (download.commercial_use or accept_licence):
        raise InputError(
            f"{download.name} is under {download.licence}, which forbids commercial use; give "
            "--accept-licence if you may use it so"
        )
    folder = store / download.name
    folder.mkdir(parents=True, exist_ok=True)
    if file is None:
        part = folder / "download.part"
        announced = _fetch(download.url, part, progress)
        source, expected = download.url, download.sha256 or announced
    else:
        part, source, expected = file, file.name, download.sha256
    try:
        found = digest(part)
    except FileNotFoundError:
        raise InputError(f"{part} is not there") from None
    if expected and found != expected:
        if file is None:
            part.unlink()
        raise DamagedWeights(
            f"{source} has SHA-256 {found}, expected was {expected}; "
            + ("fetch it again" if file else "what was fetched is removed, pull again"),
            limit=expected,
            value=found,
        )
    weights = _read(part)
    check_fit(download, weights)
    receipt = Receipt(
        source=source,
        source_sha256=found,
        sha256=_install(weights, store / download.weights),
        licence=download.licence,
        pulled=date.today().isoformat(),
    )
    receipt.save(store / download.receipt)
    if file is None:
        part.unlink()
    return receipt


def _fetch(url: str, part: Path, progress: Progress) -> str | None:
    """Append to `part` what it lacks of the file at `url`; the SHA-256 that the host announces."""
    import httpx

    have = part.stat().st_size if part.exists() else 0
    wish = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with httpx.stream("GET", url, headers=wish, follow_redirects=True, timeout=30) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return _announced(answer)  # all of it is here
            answer.raise_for_status()
            if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else None
            with part.open("ab" if have else "wb") as to:
                for piece in answer.iter_raw():
                    to.write(piece)
                    have += len(piece)
                    progress(have, total)
            return _announced(answer)
    except (httpx.HTTPError, OSError) as error:
        raise InputError(
            f"cannot fetch {url}: {error}. Call again to go on where it stopped, or fetch it "
            "elsewhere and give it with --from FILE"
        ) from error


def _announced(answer: Any) -> str | None:
    """Hubs that keep large files by their digest send it along as X-Linked-ETag."""
    for response in [*answer.history, answer]:
        if found := _DIGEST.fullmatch(response.headers.get("X-Linked-ETag", "")):
            return found[1]
    return None


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


def _install(weights: Mapping[str, Tensor], path: Path) -> str:
    """Write safetensors at once; their SHA-256."""
    part = path.with_suffix(".part")
    save_file({name: tensor.contiguous().clone() for name, tensor in weights.items()}, part)
    part.chmod(0o644)  # safetensors makes it private
    written = digest(part)
    os.replace(part, path)
    return written
