"""Writing what the answers mean: each file whole or not at all, and none over an existing one."""

from pathlib import Path

from lycatra_appservice.model import JSON
from lycatra_appservice.private_file import write_private
from lycatra_appservice.registration import (
    belongs_to,
    differing_keys,
    new_tokens,
    read_registration,
    registration_content,
    render,
    tokens_in,
)
from lycatra_appservice.settings import WrittenSettings
from lycatra_appservice.setup.answers import KEY_FILE, Answers, SetupError
from lycatra_appservice.setup.example import fill_in, read_example


def write_config(path: Path, answers: Answers) -> None:
    """Write the configuration, the key it names first. Raises SetupError if there is one already.

    The configuration is the last to be written, so that what an interrupted run leaves is
    either nothing or complete.
    """
    if path.exists():
        raise SetupError(f"{path} exists already")
    text = fill_in(read_example(), answers.values())
    model = answers.model
    if model is not None and model.new_key is not None:
        write_private(path.absolute().parent / KEY_FILE, model.new_key.get_secret_value() + "\n")
    write_private(path, text)


def write_registration(settings: WrittenSettings, mode: int | None) -> Path:
    """Write the registration, or bring it up to date with its tokens and foreign keys kept.

    Raises SetupError for a file of another application service, RegistrationError for one that
    cannot be read.
    """
    path = settings.appservice.registration_file
    existing: dict[str, JSON] = read_registration(path) if path.exists() else {}
    if existing and not belongs_to(existing, settings):
        raise SetupError(
            f"{path} belongs to another application service (id {str(existing.get('id'))!r}): "
            "set appservice.registration_file to another file"
        )
    tokens = tokens_in(existing, path) if existing else new_tokens()
    wanted = registration_content(settings, tokens)
    differing = differing_keys(existing, wanted)
    if differing:
        kept = {name: value for name, value in existing.items() if name not in differing}
        write_private(path, render({**wanted, **kept}), mode=mode)
    return path
