"""A document is read by its name or a near one, whole, by section, and page by page."""

from pathlib import Path

import pytest

from lycatra_appservice.errors import InvalidArgumentsError
from lycatra_appservice.toolkit.discovery import discover
from lycatra_appservice.tools.docs._settings import DocsSettings
from tests.unit.tools.docs.conftest import BACKUPS, Docs


@pytest.mark.parametrize(
    "name",
    [
        "docs://home/guides/Backups",
        "docs://home/guides/Backups.md",
        "home/guides/backups",
        "guides/Backups",
        "backups",
        "Backups of the wiki",
        " docs://backups ",
    ],
)
async def test_a_name_need_not_be_whole(docs: Docs, handbook: Path, name: str) -> None:
    result = await docs("read_doc", name=name)

    assert result.data["name"] == "docs://home/guides/Backups"
    assert result.data["title"] == "Backups of the wiki"
    assert result.markdown.startswith("# Backups of the wiki\n\nEvery night")
    assert "author: nobody" not in result.markdown
    assert "# this is no heading" in result.markdown
    assert (result.data["page"], result.data["pages"], result.note) == (1, 1, None)


async def test_names_with_spaces_are_written_as_in_an_address_or_as_they_are(
    docs: Docs, handbook: Path
) -> None:
    for name in ("docs://home/guides/Getting%20started", "getting started"):
        assert (await docs("read_doc", name=name)).data["title"] == "Welcome"


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("backups", "Restoring a backup"),
        ("backups", "restoring-a-backup"),
        ("backups", "restoring"),
        ("backups#restoring-a-backup", None),
    ],
)
async def test_a_section_is_read_with_those_below_it(
    docs: Docs, handbook: Path, name: str, section: str | None
) -> None:
    more = {} if section is None else {"section": section}
    result = await docs("read_doc", name=name, **more)

    assert result.data["section"] == "Restoring a backup"
    assert result.markdown.startswith("## Restoring a backup")
    assert "Call the person on duty." in result.markdown
    assert "On the second disk." not in result.markdown


async def test_what_is_misspelt_is_told_the_likely_one(docs: Docs, handbook: Path) -> None:
    with pytest.raises(InvalidArgumentsError, match="Did you mean `Backups`"):
        await docs("read_doc", name="Bakups")
    with pytest.raises(InvalidArgumentsError, match="Did you mean `Where they are`"):
        await docs("read_doc", name="backups", section="Were they are")
    with pytest.raises(InvalidArgumentsError, match="`search_docs` finds documents by words"):
        await docs("read_doc", name="xxxxxxxxxxx")


async def test_a_name_that_several_have_asks_which_one(docs: Docs, handbook: Path) -> None:
    with pytest.raises(InvalidArgumentsError) as refused:
        await docs("read_doc", name="README")

    said = refused.value.user_message
    assert "`docs://lycatra/README`, `docs://home/README`" in said


@pytest.mark.parametrize(
    "name",
    [
        "docs://home/../secret",
        "docs://home/..%2fsecret",
        "../secret.md",
        "/etc/passwd",
        "docs://home/guides/../../secret",
        "file:///etc/passwd",
        "docs://other/secret",
        "..",
        "\0",
    ],
)
async def test_no_name_leads_out_of_the_folders(docs: Docs, handbook: Path, name: str) -> None:
    (handbook.parent / "secret.md").write_text("# Secret\n")

    with pytest.raises(InvalidArgumentsError, match="There is no document"):
        await docs("read_doc", name=name)


async def test_long_documents_come_in_parts_that_together_are_all_of_it(
    docs: Docs, handbook: Path
) -> None:
    lines = [f"Line {number} of the code" for number in range(500)]
    text = "\n".join(["# Long", "", "```python", *lines, "```", "", "## End", "", "Good night."])
    (handbook / "long.md").write_text(text)

    first = await docs("read_doc", name="long")
    pages = [
        (await docs("read_doc", name="long", page=page)).markdown
        for page in range(1, first.data["pages"] + 1)
    ]

    assert first.note == f"part 1 of {len(pages)}; ask with page=2, or with section"
    assert first.data["sections"] == ["Long", "End"]
    assert all(page.count("```") % 2 == 0 for page in pages)  # code is closed on each
    assert all(len(page) < 4200 for page in pages)
    whole = "\n".join(pages)
    assert [line for line in whole.splitlines() if line.startswith("Line ")] == lines
    assert pages[-1].endswith("Good night.")
    with pytest.raises(InvalidArgumentsError, match=f"There are only {len(pages)} parts"):
        await docs("read_doc", name="long", page=len(pages) + 1)


async def test_without_a_name_all_documents_are_listed(docs: Docs, handbook: Path) -> None:
    result = await docs("read_doc")

    listed = {each["name"]: each["title"] for each in result.data["documents"]}
    assert listed["docs://lycatra/ROOMS"]
    assert listed["docs://home/README"] == "The handbook"
    assert "| `docs://home/guides/Backups` | Backups of the wiki |" in result.markdown
    assert next(iter(listed)).startswith("docs://lycatra/")


async def test_other_faces_list_and_read_the_same_documents(
    docs: Docs, handbook: Path, tmp_path: Path
) -> None:
    namespace = discover().namespace("docs")
    assert namespace is not None
    assert namespace.library is not None
    settings = DocsSettings.model_validate({"sets": [{"name": "home", "folder": "handbook"}]})

    library = namespace.library(settings, tmp_path)

    listed = {each.uri: each for each in await library.documents()}
    backups = listed["docs://home/guides/Backups"]
    assert (backups.title, backups.mime_type) == ("Backups of the wiki", "text/markdown")
    assert backups.size_bytes == len(BACKUPS)
    assert "docs://home/guides/Getting%20started" in listed
    assert await library.text(backups.uri) == BACKUPS
    with pytest.raises(LookupError):
        await library.text("docs://home/../secret")
