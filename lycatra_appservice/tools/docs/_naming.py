"""Finds the document and the section that somebody names, rightly or nearly; pure.

Names are compared with those of documents that are known. Nothing is ever made a path of.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import unquote

from lycatra_appservice.toolkit.base import InvalidArgumentsError
from lycatra_appservice.tools._words import did_you_mean
from lycatra_appservice.tools.docs._index import SCHEME, Doc
from lycatra_appservice.tools.docs._sections import slug_of


def named(docs: Mapping[str, Doc], name: str) -> Doc:
    """By its URI, its path, the last part of that, or its title; capitals do not count.

    Raises InvalidArgumentsError, with the likely one or with those that fit.
    """
    wanted = short(name)
    for names in _WAYS:
        fitting = [doc for doc in docs.values() if wanted in names(doc)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            several = ", ".join(f"`{doc.uri}`" for doc in fitting[:5])
            raise InvalidArgumentsError(
                f"Several documents are called `{_plain(name)}`: {several}.",
                [f"`name` is one of {several}"],
            )
    known = [doc.uri.removeprefix(SCHEME) for doc in docs.values()]
    likely = {each.rpartition("/")[2]: each for each in known} | {each: each for each in known}
    raise InvalidArgumentsError(
        f"There is no document `{_plain(name)}`. {did_you_mean(wanted, list(likely))} "
        "`search_docs` finds documents by words.",
        ["`name` is the docs:// name of a document"],
    )


def section_at(doc: Doc, name: str) -> int:
    """The position of a section, by its heading, the link to it, or a part of its heading.

    Raises InvalidArgumentsError.
    """
    slug, plain = slug_of(name), name.strip().casefold()
    for fits in (
        lambda each: each.slug == slug or each.heading.casefold() == plain,
        lambda each: bool(plain) and plain in each.heading.casefold(),
    ):
        for number, section in enumerate(doc.sections):
            if section.heading and fits(section):
                return number
    headings = [each.heading for each in doc.sections if each.heading]
    raise InvalidArgumentsError(
        f"`{doc.uri}` has no section `{_plain(name)}`. {did_you_mean(name, headings)}",
        ["`section` is a heading of the document"],
    )


def short(name: str) -> str:
    """The name without what all names have, in small letters."""
    plain = unquote(name.strip()).casefold().removeprefix(SCHEME).strip("/")
    return plain.removesuffix(".md").removesuffix(".markdown")


def _of_whole(doc: Doc) -> Iterator[str]:
    yield short(doc.uri)


def _of_path(doc: Doc) -> Iterator[str]:
    yield short(doc.uri).partition("/")[2]


def _of_end(doc: Doc) -> Iterator[str]:
    yield short(doc.uri).rpartition("/")[2]
    yield doc.title.casefold()


_WAYS: Sequence[Callable[[Doc], Iterator[str]]] = (_of_whole, _of_path, _of_end)


def _plain(name: str) -> str:
    return " ".join(name.replace("`", "'").split())[:80]
