from pointaction.training.schedule import warmup_cosine


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [warmup_cosine(step, steps=100) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[9] == 1.0
    assert rates[10] == 1.0
    assert all(after <= before for before, after in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] < 0.001
