"""The imaginary service of the demo: it says its version, and v3 is broken.

`serve PORT VERSION` is the service. `bring FOLDER VERSION` asks for a version, `current PORT`
prints the one that runs. Both are what the demo's deployer runs, by this file's path: it needs
nothing but Python.
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

WANTED = "web.wanted"  # the file that says which version should run
_BROKEN = "v3"
_SECONDS = 2.0


class _Page(BaseHTTPRequestHandler):
    version = ""

    def do_GET(self) -> None:
        """Say the version; where that is broken, only say so."""
        is_broken = self.version.split(".")[0] == _BROKEN
        self.send_response(500 if is_broken and self.path == "/health" else 200)
        self.end_headers()
        self.wfile.write(self.version.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def serve(port: int, version: str) -> None:
    """Answer on loopback until the process ends."""
    page = type("_VersionedPage", (_Page,), {"version": version})
    ThreadingHTTPServer(("127.0.0.1", port), page).serve_forever()


def bring(folder: Path, version: str) -> None:
    """Ask for a version; who watches the file brings it."""
    new = folder / f"{WANTED}.new"
    new.write_text(version, encoding="utf-8")
    os.replace(new, folder / WANTED)


def current(port: int) -> str:
    """The version that runs. OSError when none does."""
    with urlopen(f"http://127.0.0.1:{port}/", timeout=_SECONDS) as answer:
        return str(answer.read().decode())


def main(what: str, where: str, *version: str) -> int:
    """Do what the command line says; 1 when nothing runs."""
    if what == "serve":
        serve(int(where), *version)
    if what == "bring":
        bring(Path(where), *version)
    if what == "current":
        try:
            print(current(int(where)))
        except URLError:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
