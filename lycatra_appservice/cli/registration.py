"""`lycatra registration`: writes the file that makes Synapse know us, and says what to do then."""

import re
import stat
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lycatra_appservice.cli.command import (
    Command,
    CommandError,
    add_config_argument,
    read_written_settings,
)
from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import Owner, has_mode, write_private
from lycatra_appservice.registration import (
    Tokens,
    belongs_to,
    differing_keys,
    new_tokens,
    read_registration,
    registration_content,
    render,
    rotated,
    tokens_in,
)
from lycatra_appservice.settings import WrittenSettings


def _mode(text: str) -> int:
    match = re.fullmatch(r"(?:0o?)?([64][04]{2})", text)
    if not match:
        raise ArgumentTypeError("takes 0600, 0640, 0440 or 0400: nobody else may write it")
    return int(match[1], 8)


def _owner(text: str) -> Owner:
    match = re.fullmatch(r"(\d{1,10}):(\d{1,10})", text)
    if not match:
        raise ArgumentTypeError("takes two numbers, UID:GID, such as 991:991")
    return Owner(uid=int(match[1]), gid=int(match[2]))


def _add_arguments(parser: ArgumentParser) -> None:
    add_config_argument(parser)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="where to write it (default: appservice.registration_file of the configuration)",
    )
    rotation = parser.add_mutually_exclusive_group()
    rotation.add_argument(
        "--rotate", action="store_true", help="new tokens; the old hs_token stays accepted"
    )
    rotation.add_argument(
        "--end-rotation", action="store_true", help="stop accepting the old hs_token"
    )
    parser.add_argument("--mode", type=_mode, help="its mode (default: 0600, or what it has)")
    parser.add_argument(
        "--owner", type=_owner, metavar="UID:GID", help="its owner, so that Synapse can read it"
    )


def _run(arguments: Namespace) -> int:
    settings = read_written_settings(arguments)
    path: Path = arguments.output or settings.appservice.registration_file
    existing = _existing(path, settings)
    wanted = registration_content(settings, _tokens(arguments, settings, existing, path))
    differing = differing_keys(existing, wanted)
    if differing or not has_mode(path, arguments.mode, arguments.owner):
        # Keys that we know nothing about are the operator's own and stay.
        kept = {name: each for name, each in existing.items() if name not in differing}
        content = {**wanted, **kept}
        write_private(path, render(content), mode=arguments.mode, owner=arguments.owner)
    _tell(arguments, settings, path, _what_changed(existing, differing, path))
    return 0


def _existing(path: Path, settings: WrittenSettings) -> dict[str, JSON]:
    """Return what the file holds, nothing if there is none; refuse what is not ours."""
    if not path.exists():
        return {}
    content = read_registration(path)
    if not belongs_to(content, settings):
        raise CommandError(
            f"{path} belongs to another application service (id {str(content.get('id'))!r}); "
            "name another file with -o"
        )
    return content


def _tokens(
    arguments: Namespace, settings: WrittenSettings, existing: Mapping[str, JSON], path: Path
) -> Tokens:
    written = settings.appservice
    if arguments.rotate and (written.as_token or written.hs_token):
        raise CommandError(
            "the configuration sets as_token or hs_token itself: change them there, "
            "with the old one as hs_token_previous, and run this without --rotate"
        )
    if arguments.rotate and not existing:
        raise CommandError(f"{path} does not exist yet, so there is nothing to rotate")
    tokens = tokens_in(existing, path) if existing else new_tokens()
    if arguments.rotate:
        return rotated(tokens)
    if arguments.end_rotation:
        tokens = replace(tokens, hs_token_previous=None)
    return replace(
        tokens,
        as_token=written.as_token or tokens.as_token,
        hs_token=written.hs_token or tokens.hs_token,
    )


def _what_changed(existing: Mapping[str, JSON], differing: list[str], path: Path) -> str:
    if not existing:
        return f"{path} is written."
    if not differing:
        return f"{path} is up to date; its tokens are kept."
    return f"{path} is written anew, with other values of {', '.join(differing)}."


def _tell(arguments: Namespace, settings: WrittenSettings, path: Path, what: str) -> None:
    print(what)
    if path.resolve() != settings.appservice.registration_file.resolve():
        print(f"In Lycatra's configuration: appservice.registration_file: {path.resolve()}")
    if arguments.mode is not None and arguments.mode & stat.S_IROTH:
        print("Every user of this computer can read the tokens now; --owner is the better way.")
    if arguments.end_rotation:
        print("Restart Lycatra when convenient; Synapse needs nothing.")
    else:
        print(_NEXT_ROTATION if arguments.rotate else _next_steps(path))


def _next_steps(path: Path) -> str:
    return f"""
In Synapse's homeserver.yaml, with the path as Synapse sees it:

    app_service_config_files:
      - {path.resolve()}

Then restart Synapse: it reads this file only when it starts."""


_NEXT_ROTATION = """
The tokens are new. Until both have read them, answers wait and nothing is lost:
  1. restart Lycatra: it accepts the old and the new hs_token
  2. restart Synapse right after
  3. run `lycatra registration --end-rotation`, and restart Lycatra when convenient"""

REGISTRATION = Command(
    name="registration",
    summary="Write the registration file for Synapse; existing tokens are kept.",
    add_arguments=_add_arguments,
    run=_run,
)
