"""What a server answered, as a result of ours."""

import base64

import mcp_types as types

from lycatra_appservice.toolkit.remote.results import result_from, words_of
from lycatra_appservice.toolkit.results import MAX_DATA_BYTES, MAX_MARKDOWN_BYTES, bounded
from lycatra_appservice.words.catalogue import in_english


def text(words: str) -> types.TextContent:
    return types.TextContent(type="text", text=words)


def test_structured_content_is_the_data_and_the_text_what_people_read() -> None:
    answer = types.CallToolResult(content=[text("Three.")], structured_content={"count": 3})

    result = result_from(answer, "peer_count")

    assert result.data == {"count": 3}
    assert result.markdown == "Three."


def test_structured_content_alone_is_shown_as_code() -> None:
    answer = types.CallToolResult(content=[], structured_content={"count": 3})

    assert result_from(answer, "peer_count").markdown == '```json\n{\n  "count": 3\n}\n```'


def test_code_cannot_be_left_by_what_is_in_it() -> None:
    answer = types.CallToolResult(content=[text('["```", "**bold**"]')])

    shown = result_from(answer, "peer_say").markdown

    assert shown.startswith("````json\n")
    assert shown.endswith("\n````")


def test_a_file_has_a_name_without_a_path() -> None:
    blob = base64.b64encode(b"%PDF").decode()
    found = types.BlobResourceContents(
        uri="file:///etc/../shadow%2F..%2Fx.pdf", mime_type="application/pdf", blob=blob
    )
    answer = types.CallToolResult(
        content=[types.EmbeddedResource(type="resource", resource=found)]
    )

    [file] = result_from(answer, "peer_file").files

    assert file.data == b"%PDF"
    assert "/" not in file.name


def test_what_is_no_picture_is_told_of_and_left_out() -> None:
    answer = types.CallToolResult(
        content=[types.ImageContent(type="image", data="not base64!", mime_type="image/png")]
    )

    result = result_from(answer, "peer_draw")

    assert result.files == ()
    assert result.note is not None
    assert "cannot be shown: 1" in in_english(result.note)


def test_a_link_shows_where_it_leads_unless_it_is_one_of_the_web() -> None:
    links = [
        types.ResourceLink(type="resource_link", name="[x](y)", uri="https://example.org/a"),
        types.ResourceLink(type="resource_link", name="local", uri="javascript:alert(1)"),
    ]

    shown = result_from(types.CallToolResult(content=links), "peer_link").markdown

    assert "[xy](https://example.org/a)" in shown
    assert "local: `javascript:alert(1)`" in shown


def test_a_flood_becomes_what_the_gate_lets_through() -> None:
    answer = types.CallToolResult(content=[text("flood\n" * 1_000_000) for _ in range(3)])

    result = bounded(result_from(answer, "peer_flood"))

    assert len(str(result.data).encode()) <= MAX_DATA_BYTES
    assert len(result.markdown.encode()) <= MAX_MARKDOWN_BYTES + 100


def test_a_failure_is_told_in_one_short_line() -> None:
    answer = types.CallToolResult(content=[text("`no`\n" * 500)], is_error=True)

    words = words_of(answer, 300)

    assert len(words) == 300
    assert "\n" not in words
    assert "`" not in words
