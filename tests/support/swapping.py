"""A small HTTP service with versions, and the program that swaps one for another.

Run by its path, so that it needs nothing but Python: `swap FOLDER VERSION`, `current FOLDER`,
`stop FOLDER`. v3 answers HTTP 500, v4 ends at once, v5 answers once and then no more.
What is swapped is written into `FOLDER/log`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWERS_OF_V5 = 1


def main(what: str, folder: Path, *more: str) -> int:
    if what == "serve":
        return serve(folder, *more)
    if what == "current":
        running = folder / "running"
        sys.stdout.write(f"{running.read_text() if running.exists() else 'none yet!'}\n")
        return 0
    with (folder / "log").open("a") as log:
        log.write(f"{' '.join([what, *more])}\n")
    if (folder / "refuse").exists():
        sys.stderr.write("no space in `/var/secret`\n")
        return 3
    stop(folder)
    if what == "swap":
        start(folder, *more)
    return 0


def start(folder: Path, version: str) -> None:
    (folder / "running").write_text(version)
    child = subprocess.Popen(
        [sys.executable, __file__, "serve", str(folder), version],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    (folder / "pid").write_text(str(child.pid))


def stop(folder: Path) -> None:
    pid = folder / "pid"
    if pid.exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid.read_text()), signal.SIGKILL)
        pid.unlink()


def serve(folder: Path, version: str) -> int:
    if version == "v4":
        return 1
    answered = 0

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal answered
            answered += 1
            is_tired = version == "v5" and answered > ANSWERS_OF_V5
            self.send_response(500 if version == "v3" or is_tired else 200)
            self.end_headers()
            self.wfile.write(f"I am {version}.".encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    ThreadingHTTPServer.allow_reuse_address = True
    port = int((folder / "port").read_text())
    while True:
        try:
            server = ThreadingHTTPServer(("127.0.0.1", port), Answering)
        except OSError:  # the one before it is just ending
            time.sleep(0.01)
        else:
            server.serve_forever()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:]))
