import torch

from pointaction.evaluation.performances import Seen, Sight
from pointaction.evaluation.robustness import evaluate_robustness, noise, sights
from pointaction.synthetic.noise import TrackerNoise


def test_every_condition_disturbs_one_thing() -> None:
    conditions = sights(points=512, pixels=True)
    plain = conditions.pop("exact tracks")
    for name, sight in conditions.items():
        changed = [
            part
            for part in ("points", "frames", "side", "noise")
            if getattr(sight, part) != getattr(plain, part)
        ]
        assert len(changed) == 1, name


def test_no_condition_shows_more_points_than_asked_for() -> None:
    assert max(sight.points for sight in sights(points=64, pixels=False).values()) == 64


def test_once_the_noise_is_the_noise_of_training_and_twice_is_twice() -> None:
    usual = TrackerNoise()
    assert noise(1.0) == usual
    assert noise(2.0).jitter == 2 * usual.jitter
    assert noise(100.0).weak == 1.0
    assert noise(100.0).weak_life[0] == 1.0


def test_each_condition_gets_its_own_accuracy() -> None:
    labels = torch.tensor([0, 1])

    def look(name: str, sight: Sight) -> Seen:
        answers = labels if sight.frames == 32 else torch.tensor([0, 0])
        return Seen(logits=torch.eye(2)[answers], cls=torch.zeros(2, 1), labels=labels)

    whole, half = evaluate_robustness(look, {"all": Sight(), "few": Sight(frames=4)})
    assert (whole.accuracy.share, half.accuracy.share) == (1.0, 0.5)
