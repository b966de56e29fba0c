"""`make conformance`: one line for each leg, `leg passed failed`, and what failed below."""

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.conformance.app import fixture_app
from tests.conformance.legs import legs, run_leg


async def main() -> int:
    """The exit code: 0 when every leg is green."""
    red = 0
    with tempfile.TemporaryDirectory() as folder:
        for leg in legs():
            async with fixture_app() as url:
                outcome = await run_leg(leg, url, Path(folder) / leg.name)
            print(outcome.line(), flush=True)
            trouble = outcome.trouble()
            if trouble is not None:
                red += 1
                print(trouble, file=sys.stderr)
    return min(red, 1)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
