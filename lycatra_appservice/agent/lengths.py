"""How long a text is to a model, in our rough counting."""

# Of English prose and JSON. Other scripts need more tokens a letter, about as they need more
# bytes, so a length in characters means bytes here.
CHARS_PER_TOKEN = 3.5


def size_of(text: str) -> int:
    """The length of a text for our counting."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def beginning(text: str, max_chars: int) -> str:
    """As much of a text as has this length."""
    if text.isascii():
        return text[:max_chars]
    return text.encode(errors="replace")[:max_chars].decode(errors="ignore")
