"""A worker that follows clips of data sets by their keys, for tests of what happens around it.

The first word of a key, before a dash:

    deadly   kills its process, but for the second time the clip `deadly-once`
    held     is at work until the file `go` lies in the data folder
    refuse   cannot be followed
    break    raises something that nobody expects

Any other is followed at once; of thirteen tracks none is. Every clip that is begun is a line in
`begun` in the data folder: when, and its key.
"""

import os
import signal
import sys
import time

from pointaction.errors import NotInstalled
from pointaction.extraction.follower import Failure, Followed, How, failure
from pointaction.extraction.sources import Wanted
from pointaction.trackstore.sample import Sample
from tests.pointaction.trackstore.stores import wandering
from tests.workers.scripted import ScriptedLibrary
from workers.following import Following
from workers.launch import run_worker
from workers.settings import Settings


class ScriptedFollowing:
    def __init__(self, settings: Settings, how: How) -> None:
        self.folder = settings.data_dir
        self.how = how

    def follow(self, wanted: Wanted) -> Followed | Failure:
        word = wanted.key.partition("-")[0]
        with (self.folder / "begun").open("a") as file:
            file.write(f"{time.time()} {wanted.key}\n")
        again = (self.folder / "begun").read_text().count(f" {wanted.key}\n") > 1
        if word == "deadly" and not (wanted.key == "deadly-once" and again):
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "held":
            while not (self.folder / "go").exists():
                time.sleep(0.02)
        if word == "break":
            raise ZeroDivisionError("nobody expects this")
        if word == "refuse":
            return failure(wanted, "unsupported-clip", "it is too dark")
        return followed(wanted)


def followed(wanted: Wanted) -> Followed:
    """What a clip becomes: tracks that its key tells."""
    number = sum(wanted.key.encode())
    sample = Sample(
        key=wanted.key, tracks=wandering(number), label=wanted.label, about=wanted.about
    )
    return Followed(key=wanted.key, members=sample.members())


def open_scripted(settings: Settings, how: How, making: str) -> Following:
    if how.tracks == 13:
        raise NotInstalled("thirteen tracks need weights that are not here")
    return ScriptedFollowing(settings, how)


if __name__ == "__main__":
    sys.exit(run_worker(Settings(), open_library=ScriptedLibrary, open_following=open_scripted))
