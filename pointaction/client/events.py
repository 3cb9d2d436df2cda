"""Server-sent events, as they come in parts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    id: str
    data: str


class EventReader:
    """Makes events of the bytes of one connection.

    As the HTML standard has it (9.2.6), but for lines that end in a carriage return alone, which
    no server of ours writes. Comments, by which a server shows that it is there, are no events.
    """

    def __init__(self) -> None:
        self._rest = b""  # of a line that has not ended
        self._id = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that `chunk` completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        events = [self._line(line.removesuffix(b"\r").decode(errors="replace")) for line in lines]
        return [event for event in events if event]

    def _line(self, line: str) -> Event | None:
        if not line:
            data, self._data = self._data, []
            return Event(id=self._id, data="\n".join(data)) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id":
            self._id = value
        return None
