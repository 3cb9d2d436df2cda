from pointaction.synthetic.motions import LABELS, REVERSED, mirrored


def test_there_are_at_least_two_dozen_motions() -> None:
    assert len(LABELS) >= 24


def test_mirroring_twice_changes_nothing_and_stays_in_the_vocabulary() -> None:
    for label in LABELS:
        assert mirrored(label) in LABELS
        assert mirrored(mirrored(label)) == label
    assert mirrored("moving left") == "moving right"
    assert mirrored("camera rolling clockwise") == "camera rolling anticlockwise"


def test_reversing_twice_changes_nothing_and_stays_in_the_vocabulary() -> None:
    for label, other in REVERSED.items():
        assert label in LABELS
        assert REVERSED[other] == label
