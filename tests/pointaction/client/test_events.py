"""Server-sent events."""

from pointaction.client.events import Event, EventReader

STREAM = (
    ": hello\r\nid: 1-0\r\nevent: x\r\ndata: a\r\ndata: ä\r\n\r\n\nid: 2-0\ndata:b\n\ndata: half"
)
EVENTS = [Event(id="1-0", data="a\nä"), Event(id="2-0", data="b")]


def test_events_are_the_same_wherever_the_stream_is_cut() -> None:
    stream = STREAM.encode()
    for cut in range(len(stream)):
        reader = EventReader()
        assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == EVENTS


def test_a_comment_is_no_event() -> None:
    assert EventReader().feed(b": ping\r\n\r\n") == []
