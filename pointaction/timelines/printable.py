"""Labels as files may hold them. Needs no torch."""


def printable(text: str) -> str:
    """Somebody's text on one line: control characters and the like as escapes, such as \\n."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
