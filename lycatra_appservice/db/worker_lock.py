"""One worker per SQLite file: the lock that refuses the second one."""

from pathlib import Path
from types import TracebackType
from typing import Self

import filelock

from lycatra_appservice.errors import StoreBusyError, StoreUnavailableError


class WorkerLock:
    """The worker's hold on a database file, by a lock on `<file>.lock` beside it.

    At its start a worker frees the leases of its predecessor, so two of them would run the same
    turns. Only the worker takes it; other commands open the database beside it. It is let go
    with this object, so keep it, and by the system when the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()  # two names of one file are one lock
        self._lock = filelock.FileLock(f"{self._path}.lock")

    def acquire(self) -> None:
        """Take the lock. StoreBusyError: another worker has it, and this one must not start."""
        try:
            if not self._path.parent.is_dir():  # filelock would make it
                raise FileNotFoundError(self._path.parent)
            self._lock.acquire(blocking=False)
        except filelock.Timeout as exc:
            raise StoreBusyError(
                f"another worker already serves the database file {self._path}: "
                "stop it first, or use Postgres to run several"
            ) from exc
        except (OSError, NotImplementedError) as exc:
            raise StoreUnavailableError(
                f"cannot lock {self._path}.lock: the folder must exist, be writable "
                f"and on a local disk ({type(exc).__name__})"
            ) from exc

    def release(self) -> None:
        """Let the next worker in."""
        self._lock.release()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
