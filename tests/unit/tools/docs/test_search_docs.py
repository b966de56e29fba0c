"""What is asked finds the section that answers it."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from lycatra_appservice.tools.docs import _index
from lycatra_appservice.tools.docs._settings import DocsSettings
from tests.unit.tools.docs.conftest import Docs


async def names(docs: Docs, query: str) -> list[str]:
    found = (await docs("search_docs", query=query)).data["found"]
    return [f"{each['name']}#{each['section'].rpartition(' / ')[2]}" for each in found]


@pytest.mark.parametrize(
    ("question", "document", "heading"),
    [
        ("How do I reset the conversation?", "ROOMS", "Threads and memory"),
        ("Wie setze ich das Gespräch zurück?", "ROOMS", "Threads and memory"),
        ("Who may approve something?", "APPROVALS", "Who may approve"),
        ("Wer darf etwas genehmigen?", "APPROVALS", "Who may approve"),
        ("How can I restart a Docker container?", "RESTARTS", "Docker"),
        ("Wie deinstalliere ich dich?", "UNINSTALL", "Taking Lycatra away again"),
        ("Liest du verschlüsselte Räume?", "ROOMS", "Encrypted rooms"),
        ("Raumeinstellungen ändern", "ROOMS", "Settings of a room"),
        ("write my own tool", "OWN_TOOLS", ""),
        ("how many tokens may I use", "BUDGETS", ""),
    ],
)
async def test_lycatra_explains_itself(
    docs: Docs, question: str, document: str, heading: str
) -> None:
    found = await names(docs, question)

    assert any(each.startswith(f"docs://lycatra/{document}#{heading}") for each in found), found


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("How do I install this?", "QUICKSTART|README|DOCKER"),
        ("Wie installiere ich Lycatra?", "QUICKSTART|README|DOCKER"),
        ("How do I add a language model?", "MODELS"),
        ("Welches Sprachmodell brauche ich?", "MODELS"),
        ("Can I use Ollama?", "MODELS"),
        ("Wie lade ich dich in einen Raum ein?", "ROOMS"),
        ("Why does it not answer in my encrypted room?", "ENCRYPTION|ROOMS"),
        ("How are releases of GitHub watched?", "RELEASES"),
        ("Wie beobachte ich neue Releases?", "RELEASES"),
        ("How do I roll back a version?", "DEPLOYMENTS"),
        ("Wie mache ich eine Auslieferung rückgängig?", "DEPLOYMENTS"),
        ("How do I get told when a service is down?", "SERVICES"),
        ("Wie werde ich benachrichtigt, wenn ein Dienst ausfällt?", "SERVICES"),
        ("How do I search log files?", "LOGS"),
        ("Wie durchsuche ich Logs?", "LOGS"),
        ("How do I add my own documents?", "DOCUMENTS"),
        ("Wie füge ich eigene Dokumente hinzu?", "DOCUMENTS"),
        ("How do I write my own tool?", "OWN_TOOLS"),
        ("Wie schreibe ich ein eigenes Werkzeug?", "OWN_TOOLS"),
        ("What does the assistant remember about this room?", "ROOMS"),
        ("Kannst du mich an etwas erinnern?", "ROOMS"),
        ("How do I limit the costs?", "BUDGETS"),
        ("How do I connect Prometheus?", "METRICS"),
        ("Ruhezeiten einstellen", "ROOMS"),
        ("How do I remove Lycatra again?", "UNINSTALL"),
    ],
)
async def test_the_first_page_found_is_the_one_that_a_newcomer_needs(
    docs: Docs, question: str, page: str
) -> None:
    found = await names(docs, question)

    assert found[0].removeprefix("docs://lycatra/").partition("#")[0] in page.split("|"), found


async def test_the_best_section_comes_first_with_the_words_that_tell(
    docs: Docs, handbook: Path
) -> None:
    result = await docs("search_docs", query="restore a backup of the wiki")

    first = result.data["found"][0]
    assert first["name"] == "docs://home/guides/Backups"
    assert first["title"] == "Backups of the wiki"
    assert first["section"] == "Backups of the wiki / Restoring a backup"
    assert "type `restore latest`" in first["text"]
    assert "**Backups of the wiki / Restoring a backup**" in result.markdown
    assert "read_doc" in str(result.note)


async def test_pages_go_on_and_say_so(docs: Docs, handbook: Path) -> None:
    first = await docs("search_docs", query="wiki lycatra room", limit=3)
    second = await docs("search_docs", query="wiki lycatra room", limit=3, offset=3)

    assert "ask with offset=3" in str(first.note)
    assert len(second.data["found"]) == 3
    assert not {str(each) for each in first.data["found"]} & {
        str(each) for each in second.data["found"]
    }


async def test_what_stands_nowhere_is_told_as_nothing(docs: Docs) -> None:
    result = await docs("search_docs", query="qwertzuiop the and")

    assert result.data == {"found": [], "total": 0}
    assert "No document says anything about" in result.markdown


async def test_words_are_found_by_their_beginning(docs: Docs, handbook: Path) -> None:
    (handbook / "fire.md").write_text("# Fire\n\nThe extinguisher hangs in the hall.\n")

    assert (await names(docs, "extingu"))[0] == "docs://home/fire#Fire"


async def test_a_file_that_changes_comes_or_goes_is_found_as_it_is_now(
    docs: Docs, handbook: Path
) -> None:
    new = handbook / "bikes.md"

    assert "docs://home/bikes#Bikes" not in await names(docs, "bicycles zebra")
    new.write_text("# Bikes\n\nBicycles are behind the zebra.\n")
    assert (await names(docs, "bicycles zebra"))[0] == "docs://home/bikes#Bikes"
    new.write_text("# Bikes\n\nThere are none any more, says the giraffe.\n")
    assert (await names(docs, "giraffe"))[0] == "docs://home/bikes#Bikes"
    assert await names(docs, "zebra") == []
    new.unlink()
    assert await names(docs, "giraffe") == []


async def test_a_folder_that_is_missing_is_named_and_the_others_still_answer(
    docs: Docs, handbook: Path
) -> None:
    section = DocsSettings.model_validate(
        {"sets": [{"name": "home", "folder": "handbook"}, {"name": "away", "folder": "away"}]}
    )

    result = await docs("search_docs", configured=section, query="backup")

    assert result.data["found"][0]["name"] == "docs://home/guides/Backups"
    assert "the folder of `away` cannot be read" in str(result.note)


async def test_nothing_outside_of_a_folder_is_found(docs: Docs, handbook: Path) -> None:
    outside = handbook.parent / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("# Platypus\n\nplatypus")
    (handbook / "link.md").symlink_to(outside / "secret.md")
    (handbook / "folder").symlink_to(outside, target_is_directory=True)
    (handbook / ".git").mkdir()
    (handbook / ".git" / "x.md").write_text("platypus")
    (handbook / "pipe.md").mkdir()

    assert await names(docs, "platypus") == []


async def test_any_bytes_and_more_than_can_be_kept_stop_nothing(
    docs: Docs, handbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_index, "_MOST_TOGETHER", 600_000)
    (handbook / "bytes.md").write_bytes(b"# Odd\n\nwombat \xff\x00 end\n```\nnever closed\n# no")
    (handbook / "large.md").write_text("word " * 200_000)

    result = await docs("search_docs", query="wombat")

    assert result.data["found"][0]["section"] == "Odd"
    assert "1 documents could not be read, or are too many" in str(result.note)


async def test_long_sections_are_shown_where_they_tell_something(
    docs: Docs, handbook: Path
) -> None:
    paragraphs = [f"Paragraph {number} says nothing." for number in range(100)]
    paragraphs[60] = "Here the wombat sleeps."
    (handbook / "zoo.md").write_text("# Zoo\n\n" + "\n\n".join(paragraphs))

    [found] = (await docs("search_docs", query="wombat")).data["found"]

    assert found["text"].startswith("…\n\nHere the wombat sleeps.")
    assert found["text"].endswith("…")
    assert len(found["text"]) < 800


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ([{"name": "lycatra", "folder": "x"}], "the name of Lycatra's own documents"),
        ([{"name": "a", "folder": "x"}, {"name": "a", "folder": "y"}], "two sets are called 'a'"),
        ([{"name": "../x", "folder": "x"}], "pattern"),
    ],
)
def test_wrong_settings_are_refused(sets: object, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DocsSettings.model_validate({"sets": sets})
