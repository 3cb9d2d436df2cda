"""Begin a large model where a small one stands.

All that the small model computes is laid into the large one. New parts read at random and write
nothing yet, so that they learn from the first steps on: T. Chen, I. Goodfellow, J. Shlens,
"Net2Net" (2016); for transformers C. Chen et al., "bert2BERT" (2022). The answers stay the same but
for the code of where a track began: it fills the whole width, and a channel of the small model goes
to where the large one's code is most like its own. Training does the rest.
"""

import torch
from torch import Tensor, nn

from pointaction.errors import InputError
from pointaction.models.traction import Block, TrAction, TrActionConfig


@torch.no_grad()
def grow(small: TrAction, large: TrAction) -> None:
    """Make the large model answer as the small one does.

    Both tell relative motion and have equal frames, heads, registers and classes; where the large
    one tells positions too, these say nothing yet. Raises InputError for others.
    """
    inner, outer = small.encoder, large.encoder
    _check(small, large)
    stream = _channels(inner.config, outer.config)  # where those of the small model go
    for name in ("motion_mlp", "picture_mlp"):
        read, write = _layers(getattr(inner.tokens, name))
        wide_read, wide_write = _layers(getattr(outer.tokens, name))
        rows = torch.arange(len(read.weight))
        _lay_reader(read, wide_read, rows=rows, columns=torch.arange(read.weight.shape[1]))
        _lay_writer(write, wide_write, rows=stream, columns=rows)
    if outer.config.positions:
        _silence(_layers(outer.tokens.mlp)[1])
    outer.first.zero_()
    outer.first[:, stream] = inner.first - inner.first.mean(1, keepdim=True)

    there = torch.linspace(0, len(outer.blocks) - 1, len(inner.blocks)).round().long().tolist()
    for number, block in enumerate(outer.blocks):
        assert isinstance(block, Block)
        if number in there:
            before = inner.blocks[there.index(number)]
            assert isinstance(before, Block)
            _lay_block(before, block, stream)
        else:
            _silence(block.out)
            _silence(_layers(block.mlp)[1])
    _lay_norm(inner.norm, outer.norm, stream)
    outer.middle.zero_()
    outer.middle[stream] = inner.middle
    large.head.weight.zero_()
    large.head.weight[:, stream] = small.head.weight
    large.head.bias.copy_(small.head.bias)


def _check(small: TrAction, large: TrAction) -> None:
    inner, outer = small.encoder.config, large.encoder.config
    alike = [
        getattr(inner, name) == getattr(outer, name)
        for name in ("frames", "heads", "registers", "place", "motion")
    ]
    fits = inner.width <= outer.width and inner.layers <= outer.layers
    same_names = len(small.head.bias) == len(large.head.bias)
    if not (all(alike) and fits and same_names and inner.motion and not inner.positions):
        raise InputError(
            "a model grows from a smaller one of relative motion alone, with equal frames, heads, "
            f"registers and labels; cannot grow from {inner} to {outer}"
        )


def _channels(inner: TrActionConfig, outer: TrActionConfig) -> Tensor:
    """For every channel of the small stream its place in the large one."""
    if not outer.place:
        return torch.arange(inner.width)
    # Sines, then cosines, each from low to high, of x, y and z: six runs of bands.
    few, many = inner.width // 6, outer.width // 6
    band = torch.linspace(0, many - 1, few).round().long()
    return (torch.arange(6)[:, None] * many + band).flatten()


def _lay_block(before: Block, block: Block, stream: Tensor) -> None:
    _lay_norm(before.norm, block.norm, stream)
    slim, size = (len(one.out.weight) // one.heads for one in (before, block))
    each = torch.arange(3 * block.heads)[:, None] * size + torch.arange(slim)
    rows = each.flatten()  # of queries, keys and values, head by head
    _lay_reader(before.qkv, block.qkv, rows=rows, columns=stream)
    queries = block.qkv.weight.unflatten(0, (3, block.heads, size))[0]
    biases = block.qkv.bias.unflatten(0, (3, block.heads, size))[0]
    for part in (queries, biases):
        part[:, slim:] = 0  # new keys are there to be asked, and nobody asks yet
        part[:, :slim] *= (size / slim) ** 0.5  # what attention divides by has grown
    _lay_writer(before.out, block.out, rows=stream, columns=rows[: before.heads * slim])

    (norm, *_), (wide_norm, *_) = before.mlp, block.mlp
    assert isinstance(norm, nn.LayerNorm)
    assert isinstance(wide_norm, nn.LayerNorm)
    _lay_norm(norm, wide_norm, stream)
    read, write = _layers(before.mlp)
    wide_read, wide_write = _layers(block.mlp)
    hidden = torch.arange(len(read.weight))
    _lay_reader(read, wide_read, rows=hidden, columns=stream)
    _lay_writer(write, wide_write, rows=stream, columns=hidden)


def _layers(mlp: nn.Sequential) -> tuple[nn.Linear, nn.Linear]:
    """The layer that reads and the one that writes."""
    read, write = (part for part in mlp if isinstance(part, nn.Linear))
    return read, write


def _lay_reader(before: nn.Linear, after: nn.Linear, *, rows: Tensor, columns: Tensor) -> None:
    """Old rows see what they saw; new ones see everything, as they began."""
    after.weight[rows] = 0
    after.weight[rows[:, None], columns] = before.weight
    after.bias[rows] = before.bias


def _lay_writer(before: nn.Linear, after: nn.Linear, *, rows: Tensor, columns: Tensor) -> None:
    """Old rows say what they said, about a mean of 0, which all readers take away anyhow."""
    _silence(after)
    after.weight[rows[:, None], columns] = before.weight - before.weight.mean(0)
    after.bias[rows] = before.bias - before.bias.mean()


def _lay_norm(before: nn.LayerNorm, after: nn.LayerNorm, stream: Tensor) -> None:
    """Silent channels lower the spread that a norm divides by."""
    narrower = (len(before.weight) / len(after.weight)) ** 0.5
    after.weight[stream] = before.weight * narrower
    after.bias[stream] = before.bias


def _silence(layer: nn.Linear) -> None:
    layer.weight.zero_()
    layer.bias.zero_()
