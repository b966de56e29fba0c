"""What a server's tools are called here."""

from lycatra_appservice.toolkit.lint import TOOL_NAME
from lycatra_appservice.toolkit.remote.naming import names_for


def test_names_are_in_small_letters_behind_the_servers_name() -> None:
    names = names_for("github", ["listIssues", "get-me", "github_search"], ())

    assert names == {
        "listIssues": "github_list_issues",
        "get-me": "github_get_me",
        "github_search": "github_search",
    }


def test_what_would_be_called_alike_is_told_apart_whatever_the_order() -> None:
    one = names_for("github", ["list_issues", "listIssues"], ())
    other = names_for("github", ["listIssues", "list_issues"], ())

    assert one == other
    assert len(set(one.values())) == 2


def test_a_name_of_something_else_is_not_taken() -> None:
    names = names_for("search", ["docs", "status"], {"search_docs"})

    assert names["docs"] != "search_docs"
    assert names["status"] != "search_status"


def test_every_name_is_one_that_tools_may_have() -> None:
    odd = ["", "é", "x" * 300, "a b/c", "日本", "__", "1"]

    names = names_for("peer", odd, ())

    assert len(set(names.values())) == len(odd)
    assert all(TOOL_NAME.fullmatch(name) for name in names.values())


def test_a_name_that_looks_like_one_of_ours_with_its_mark_stays_apart() -> None:
    [marked] = names_for("peer", ["status"], ()).values()

    names = names_for("peer", ["status", marked.removeprefix("peer_")], ())

    assert len(set(names.values())) == 2
