"""Which backbones there are. The registry is a dict; adding one is an entry here.

How each prepares its frames is what its published processor does; a processor's file in the
folder goes before it.

Shapes:  B clips   F pictures   T frames   h, w pixels   S tokens   C width
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from pointaction.appearance.native_input import (
    AS_IT_IS,
    HALVES,
    IMAGENET,
    Centre,
    NativeInput,
    Proportional,
    Squashed,
    square,
)

Look = Callable[[nn.Module, Tensor], Tensor]
"""Tokens (F, S, C) of pictures (F, 3, h, w), or (B, S, C) of clips (B, T, 3, h, w)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    name: str
    model: str  # its class in transformers
    look: Look
    native: Callable[[Any], NativeInput]  # of the model's configuration
    tubelet: Callable[[Any], int] | None = None  # frames of one step in time; None: of pictures
    frames: Callable[[Any], int] | None = None  # the only number it takes; None: any
    tower: str | None = None  # where config.json has the settings of the part that sees
    surplus: tuple[str, ...] = ()  # beginnings of names of weights of other parts


DINOV2_INPUT = NativeInput(
    frame=Centre(side=224, short_side=256),
    resample="bicubic",
    mean=IMAGENET[0],
    deviation=IMAGENET[1],
)


def _vjepa2_input(config: Any) -> NativeInput:
    side = square(config.crop_size)
    return NativeInput(
        frame=Centre(side=side, short_side=int(side * 256 / 224)),
        resample="bilinear",
        mean=IMAGENET[0],
        deviation=IMAGENET[1],
    )


def _siglip_input(config: Any) -> NativeInput:
    return NativeInput(
        frame=Squashed(side=square(config.image_size)),
        resample="bilinear",  # SigLIP 2's; the first SigLIP's files say bicubic
        mean=HALVES[0],
        deviation=HALVES[1],
    )


def _naflex_input(config: Any) -> NativeInput:
    return NativeInput(
        frame=Proportional(patch=config.patch_size, most=config.num_patches),
        resample="bilinear",
        mean=HALVES[0],
        deviation=HALVES[1],
    )


def _videomae_input(config: Any) -> NativeInput:
    side = square(config.image_size)
    return NativeInput(
        frame=Centre(side=side, short_side=side),
        resample="bilinear",
        mean=IMAGENET[0],
        deviation=IMAGENET[1],
    )


def _videoprism_input(config: Any) -> NativeInput:
    return NativeInput(
        frame=Squashed(side=square(config.image_size)),
        resample="bicubic",
        mean=AS_IT_IS[0],
        deviation=AS_IT_IS[1],
    )


def _pictures(network: nn.Module, pictures: Tensor) -> Tensor:
    return network(pixel_values=pictures).last_hidden_state


def _without_registers(network: nn.Module, pictures: Tensor) -> Tensor:
    """CLS and patches; what registers hold is no part of the answer."""
    tokens = _pictures(network, pictures)
    config: Any = network.config
    patches = 1 + config.num_register_tokens
    return torch.cat([tokens[:, :1], tokens[:, patches:]], 1)


def _in_patches(network: nn.Module, pictures: Tensor) -> Tensor:
    """NaFlex takes pictures apart before it sees them; ours fill their patches, none is padding."""
    config: Any = network.config
    patch = config.patch_size
    rows, columns = (length // patch for length in pictures.shape[-2:])
    split = pictures.unflatten(3, (columns, patch)).unflatten(2, (rows, patch))
    values = split.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)  # (F, S, patch * patch * 3)
    shapes = torch.tensor([[rows, columns]], device=pictures.device).expand(len(pictures), 2)
    return network(
        pixel_values=values,
        pixel_attention_mask=values.new_ones(values.shape[:2]),
        spatial_shapes=shapes,
    ).last_hidden_state


def _clips(network: nn.Module, clips: Tensor) -> Tensor:
    return network(clips).last_hidden_state


def _without_predictor(network: nn.Module, clips: Tensor) -> Tensor:
    return network(clips, skip_predictor=True).last_hidden_state


_SIGLIP = Kind(
    name="siglip",
    model="SiglipVisionModel",
    look=_pictures,
    native=_siglip_input,
)
_NAFLEX = Kind(
    name="siglip2-naflex",
    model="Siglip2VisionModel",
    look=_in_patches,
    native=_naflex_input,
)
_TEXT = ("text_model.", "logit_scale", "logit_bias")


def _whole(kind: Kind) -> Kind:
    """The same in the checkpoint of a model that also reads."""
    return replace(kind, tower="vision_config", surplus=_TEXT)


KINDS: dict[str, Kind] = {
    "dinov2": Kind(
        name="dinov2",
        model="Dinov2Model",
        look=_pictures,
        native=lambda config: DINOV2_INPUT,
        surplus=("classifier.",),
    ),
    "dinov2_with_registers": Kind(
        name="dinov2-registers",
        model="Dinov2WithRegistersModel",
        look=_without_registers,
        native=lambda config: DINOV2_INPUT,
        surplus=("classifier.",),
    ),
    "vjepa2": Kind(
        name="vjepa2",
        model="VJEPA2Model",
        look=_without_predictor,
        native=_vjepa2_input,
        tubelet=lambda config: int(config.tubelet_size),
        surplus=("pooler.", "classifier."),
    ),
    # SigLIP 2 of fixed resolution is built like the first SigLIP, and says so.
    "siglip": _whole(_SIGLIP),
    "siglip_vision_model": _SIGLIP,
    "siglip2": _whole(_NAFLEX),
    "siglip2_vision_model": _NAFLEX,
    "videomae": Kind(
        name="videomae",
        model="VideoMAEModel",
        look=_clips,
        native=_videomae_input,
        tubelet=lambda config: int(config.tubelet_size),
        frames=lambda config: int(config.num_frames),
        surplus=("decoder.", "encoder_to_decoder.", "mask_token", "fc_norm.", "classifier."),
    ),
    "videoprism_vision_model": Kind(
        name="videoprism",
        model="VideoPrismVisionModel",
        look=_clips,
        native=_videoprism_input,
        tubelet=lambda config: int(config.tubelet_size[0]),
        frames=lambda config: int(config.num_frames),
    ),
}
"""By `model_type` of config.json."""
