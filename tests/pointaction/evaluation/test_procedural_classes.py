from dataclasses import replace

import torch

from pointaction.evaluation.performances import EXACT
from pointaction.evaluation.procedural_classes import watch_programs

FEW = replace(EXACT, points=16)


def test_performances_of_a_program_come_together_and_differ() -> None:
    watched = list(watch_programs(3, FEW, performances=2, clock=8))
    assert [inputs.geometry.shape for inputs in watched] == [(2, 16, 8, 3)] * 3
    assert not torch.equal(watched[0].geometry[0], watched[0].geometry[1])


def test_each_program_has_a_chance_of_its_own() -> None:
    """As long as they are drawn together; another seed is another lot."""
    one = [each.geometry for each in watch_programs(2, FEW, performances=2, clock=8)]
    again = [each.geometry for each in watch_programs(2, FEW, performances=2, clock=8)]
    other = [each.geometry for each in watch_programs(2, FEW, performances=2, seed=1, clock=8)]
    assert all(map(torch.equal, one, again))
    assert not any(map(torch.equal, one, other))
