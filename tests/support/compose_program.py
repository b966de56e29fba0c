"""A `docker` program with a Compose of one project, for who runs it by its argument list.

`written(folder)` makes it; what it was asked, and how it is, stand beside it. Files are read as
JSON, of which the one named last wins.
"""

import itertools
import json
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "com.docker.compose.project.working_dir"
SECRET = "password of /srv/data"


@dataclass
class ComposeProgram:
    """`path` is the program. Everything else is what the engine has, or will do."""

    folder: Path

    @property
    def path(self) -> str:
        return str(self.folder / "docker")

    def set(self, **state: Any) -> None:
        (self.folder / "state.json").write_text(json.dumps({**self.state, **state}))

    @property
    def state(self) -> dict[str, Any]:
        path = self.folder / "state.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    @property
    def calls(self) -> list[list[str]]:
        path = self.folder / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line)["argv"] for line in lines]

    @property
    def environments(self) -> list[dict[str, str]]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [json.loads(line)["environment"] for line in lines]

    @property
    def changes(self) -> list[str]:
        """What was done, without looking: `pull IMAGE`, `up IMAGE`."""
        path = self.folder / "changes"
        return path.read_text().splitlines() if path.exists() else []


def written(folder: Path) -> ComposeProgram:
    folder.mkdir()
    program = folder / "docker"
    source = Path(__file__).read_text(encoding="utf-8")
    program.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return ComposeProgram(folder)


def main(argv: list[str]) -> int:
    folder = Path(__file__).parent
    with (folder / "calls").open("a") as calls:
        calls.write(f"{json.dumps({'argv': argv, 'environment': dict(os.environ)})}\n")
    on = ComposeProgram(folder)
    what = next(each for each in argv if each in ("pull", "ps", "up"))
    if what in on.state.get("refuse", ()):
        sys.stderr.write(f"Error: {SECRET}\n")
        return 17
    if what == "ps":
        sys.stdout.write(_ps(on.state))
        return 0
    image = argv[-1] if what == "pull" else _image_of(argv)
    with (folder / "changes").open("a") as changes:
        changes.write(f"{what} {image}\n")
    if what == "up":
        on.set(image=image)
    return 0


def _image_of(argv: list[str]) -> str:
    images: dict[str, str] = {}
    for flag, file in itertools.pairwise(argv):
        if flag == "-f":
            text = Path(file).read_text()
            services = json.loads(text[text.index("{") :])["services"]
            images |= {name: each["image"] for name, each in services.items()}
    return images[argv[-1]]


def _ps(state: dict[str, Any]) -> str:
    if "nonsense" in state:
        return str(state["nonsense"])
    image = state.get("image")
    if image is None:
        return ""
    is_up = image not in state.get("ends", ())
    each = {
        "ID": state.get("id", "f" * 64),
        "Image": image,
        "State": "running" if is_up else "exited",
        "ExitCode": 0 if is_up else 1,
        "Labels": f"com.docker.compose.oneoff=False,{FOLDER}={state.get('made_in', '')}",
        "Health": state.get("health", {}).get(image, ""),
    }
    records = [each] * state.get("containers", 1)
    if state.get("is_old"):
        return json.dumps(records)
    return "".join(f"{json.dumps(each)}\n" for each in records)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
