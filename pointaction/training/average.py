"""Between what a network was and what it has become.

Training on can cost what it does not ask for, such as telling unheard-of motions apart. The mean of
the weights before and after keeps most of both, as long as the one leads to the other downhill:
M. Wortsman et al., "Robust fine-tuning of zero-shot models" (2022), equation 1.
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from pointaction.errors import InputError


def average(before: Path, after: Path, *, share: float) -> dict[str, Tensor]:
    """Weights that lie `share` of the way from those before to those after, 0 to 1.

    Raises InputError where the two are not of the same network.
    """
    here, there = load_file(before), load_file(after)
    for name in sorted(here.keys() | there.keys()):
        if name not in here or name not in there or here[name].shape != there[name].shape:
            raise InputError(
                f"{before} and {after} are of different networks: {name!r} is not the same in both"
            )
    return {
        name: value.float().lerp(there[name].float(), share) if value.is_floating_point() else value
        for name, value in here.items()
    }
