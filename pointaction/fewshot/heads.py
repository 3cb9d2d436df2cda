"""Which heads an episode may choose, in words; needs no torch. `matchers` has what they do."""

DEFAULT_HEAD = "prototype"

HEADS = {
    "prototype": "the nearest mean of a class's examples; clips as wholes",
    "linear-probe": "a linear classifier fitted to the examples in closed form; clips as wholes",
    "otam": "moments in the order of time, aligned",
    "sets": "moments in any order, each with its nearest",
    "trx": "ordered pairs and triples of moments",
}
