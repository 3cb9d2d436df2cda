"""Open a backbone from a folder of this machine, through the `transformers` library.

Nothing is fetched and nothing is unpickled, and of config.json only the settings of the
architecture are taken: it cannot choose code, kernels or a quantisation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pointaction.appearance.checkpoint import Checkpoint
from pointaction.appearance.frozen import FrozenBackbone
from pointaction.appearance.kinds import KINDS, Kind
from pointaction.errors import DamagedWeights, InputError, MissingExtra

FRAMES = 16  # what the paper gives every model (TrAction, section 4)


def open_backbone(
    path: Path,
    *,
    frames: int | None = None,
    device: str = "cpu",
    precision: torch.dtype = torch.float32,
    together: int = 16,
) -> FrozenBackbone:
    """The backbone of a folder with config.json and safetensors, or of such a file.

    frames: how many of a clip it looks at; None: as many as it was made for, else 16. together:
    how many at once. Raises InputError for files that are missing, refused or of no known
    architecture, DamagedWeights for weights that are not those of the configuration, and
    MissingExtra without the library.
    """
    checkpoint = Checkpoint.find(path)
    kind = _kind(checkpoint)
    model = _model(kind)
    try:
        config = _config(checkpoint, kind, model)
        native = kind.native(config)
        made_for = kind.frames(config) if kind.frames else None
        tubelet = kind.tubelet(config) if kind.tubelet else None
        with torch.device("meta"):
            model(config)
    except Exception as error:  # that library's checks raise what they like
        raise InputError(
            f"the settings in config.json of {path} make no {kind.name}: {error}"
        ) from error
    if made_for and frames not in (None, made_for):
        raise InputError(f"{path} was made for {made_for} frames; it cannot take {frames}")
    return FrozenBackbone(
        name=kind.name,
        sha256=checkpoint.sha256,
        network=_network(checkpoint, kind, model, config).to(device),
        look=kind.look,
        native=native.heeding(checkpoint.processor),
        frames=frames or made_for or FRAMES,
        tubelet=tubelet,
        device=device,
        precision=precision,
        together=together,
    )


def _kind(checkpoint: Checkpoint) -> Kind:
    told = checkpoint.config.get("model_type")
    if told not in KINDS:
        raise InputError(
            f"config.json of {checkpoint.where} is of architecture {told!r}; backbones are "
            f"{', '.join(KINDS)}",
            limit=sorted(KINDS),
            value=told,
        )
    return KINDS[told]


def _model(kind: Kind) -> Any:
    """Its class; a release of the library from before there was one counts as none."""
    try:
        import transformers

        return getattr(transformers, kind.model)
    except (ImportError, AttributeError) as missing:
        raise MissingExtra(f"the backbone {kind.name}", extra="appearance") from missing


def _config(checkpoint: Checkpoint, kind: Kind, model: Any) -> Any:
    """Only what this architecture has beyond what any model of the library has."""
    from transformers import PreTrainedConfig

    told = checkpoint.config.get(kind.tower, {}) if kind.tower else checkpoint.config
    own = model.config_class().to_dict().keys() - PreTrainedConfig().to_dict().keys()
    return model.config_class(**{name: told[name] for name in own & told.keys()})


def _network(checkpoint: Checkpoint, kind: Kind, model: Any, config: Any) -> nn.Module:
    """In float32 and ready to answer; DamagedWeights names what is missing, surplus or misshapen.

    The library's own loader is used for the names that earlier releases of it gave to weights.
    """
    state: dict[str, Tensor] = {
        name: value
        for name, value in checkpoint.state().items()
        if not name.startswith(kind.surplus)
    }
    with _no_progress_bar():
        network, info = model.from_pretrained(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    wrong = sorted(
        f"{what.removesuffix('_keys')} {key if isinstance(key, str) else key[0]}"
        for what, keys in info.items()
        for key in keys
    )
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise DamagedWeights(
            f"the weights of {checkpoint.where} are not those of the {kind.name} in its "
            f"config.json: {', '.join(wrong[:5])}{more}. Fetch both from one place again"
        )
    network.requires_grad_(False)
    return network.eval()


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
