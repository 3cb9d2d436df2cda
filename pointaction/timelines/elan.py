"""Segments as an annotation document of ELAN (EAF 3.0), a tier for each label.

The format is that of http://www.mpi.nl/tools/elan/EAFv3.0.xsd.
"""

from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pointaction.printable import printable
from pointaction.timelines.segments import Segment
from pointaction.timelines.timeline import Timeline

_TYPE = "action"


def to_eaf(timeline: Timeline, found: list[Segment]) -> str:
    """The text of an `.eaf`; times are in milliseconds, an annotation's value is its score.

    Labels without a segment have no tier. ELAN asks for the video when it opens the file.
    """
    root = Element(
        "ANNOTATION_DOCUMENT",
        AUTHOR="pointaction",
        DATE=datetime.now(UTC).isoformat(timespec="seconds"),
        FORMAT="3.0",
        VERSION="3.0",
    )
    SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    order = SubElement(root, "TIME_ORDER")
    tiers: dict[str, Element] = {}
    for number, each in enumerate(found):
        begin, end = f"ts{2 * number + 1}", f"ts{2 * number + 2}"
        for slot, seconds in ((begin, each.start), (end, each.end)):
            SubElement(order, "TIME_SLOT", TIME_SLOT_ID=slot, TIME_VALUE=str(round(1000 * seconds)))
        if each.label not in tiers:
            tiers[each.label] = SubElement(
                root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=printable(each.label)
            )
        annotation = SubElement(
            SubElement(tiers[each.label], "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{number + 1}",
            TIME_SLOT_REF1=begin,
            TIME_SLOT_REF2=end,
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = f"{each.score:.3f}"
    SubElement(
        root,
        "LINGUISTIC_TYPE",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID=_TYPE,
        TIME_ALIGNABLE="true",
    )
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'
