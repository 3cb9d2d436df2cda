"""What others have named, as files and terminals may show it."""


def printable(text: str) -> str:
    """Somebody's text on one line: control characters and the like as escapes, such as \\n."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
