"""Deploys a service of a compose project, by `docker compose` and a file that sets its tag."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lycatra_appservice.toolkit.base import JSON, ToolContext, ToolFailedError
from lycatra_appservice.tools.updates._deploy_settings import ComposeDeploy
from lycatra_appservice.tools.updates._deployers.compose_ps import (
    made_in,
    records_of,
    running_of,
)
from lycatra_appservice.tools.updates._deployers.override_file import OverrideFile
from lycatra_appservice.tools.updates._deployers.own_container import is_mine
from lycatra_appservice.tools.updates._deployers.port import (
    Change,
    Changed,
    DeployError,
    Outlook,
    Running,
)
from lycatra_appservice.tools.updates._deployers.programs import Program, Programs, with_variables
from lycatra_appservice.tools.updates._versions import tag_problem

_TO_LOOK_SECONDS = 20.0
# By which Docker's program finds the engine, and the logins for registries.
_OF_DOCKER = ("HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR")


class ComposeDeployer:
    """Sets the tag in a file of its own, which compose is given after those of the operator."""

    def __init__(self, deploy: ComposeDeploy, ctx: ToolContext) -> None:
        """For one call."""
        self._deploy = deploy
        self._files = [ctx.base_folder / each.expanduser() for each in deploy.files]
        self._folder = self._files[0].parent
        named = deploy.override or Path(f"lycatra.{deploy.service}.yaml")
        self._override = OverrideFile(self._folder / named.expanduser(), deploy.compose_service)
        self._programs = Programs(
            service=deploy.service,
            folder=self._folder,
            show_output=deploy.show_output,
            ctx=ctx,
            environment=with_variables(*_OF_DOCKER),
        )

    @property
    def is_repeatable(self) -> bool:
        """Compose brings about what the files say, as often as it is asked."""
        return True

    @property
    def tries_out(self) -> bool:
        """A second container of a compose service would take its ports and volumes."""
        return False

    async def outlook(self, change: Change) -> Outlook:
        """The image, and how its containers are. Raises ToolFailedError."""
        problem = tag_problem(change.version)
        if problem is not None:
            raise ToolFailedError(f"{problem}.")
        for file in self._files:
            if not file.is_file():
                raise ToolFailedError(f"The compose file `{file.name}` is not there.")
        records = await self._containers()
        deploy = self._deploy
        self._refuse(records)
        running = running_of(records)
        return Outlook(
            steps=[
                f"sets the image of `{deploy.compose_service}` in the compose project "
                f"`{deploy.project}` to `{self._image(change.version)}`",
                "makes its containers anew by `docker compose up`",
            ],
            now=[f"now its containers are {running.detail}"],
        )

    async def running(self) -> Running:
        """The tags of its containers. Raises DeployError."""
        return running_of(await self._containers())

    async def apply(self, change: Change) -> None:
        """Get the image, write the tag down, have compose bring it. Raises DeployError."""
        image = self._image(change.version)
        if self._deploy.pull and not change.is_back:  # what comes back is still there
            pull = [self._deploy.program, "pull", image]
            await self._run(pull, "docker pull", self._deploy.apply_seconds, Changed.NOTHING)
        self._override.write(image)
        try:
            await self._up()
        except DeployError as exc:
            # The next one who types `docker compose up` would bring it.
            raise DeployError(exc.user_message, Changed.MAYBE) from exc

    async def try_out(self, change: Change) -> None:
        """Nothing is tried out."""

    async def keep(self) -> None:
        """Nothing is held ready: images stay on the engine."""

    async def _containers(self) -> Sequence[Mapping[str, JSON]]:
        # Without shortening an id is whole.
        asked = ["ps", "--all", "--no-trunc", "--format", "json", self._deploy.compose_service]
        text = await self._compose(asked, "docker compose ps", _TO_LOOK_SECONDS, Changed.NOTHING)
        return records_of(text)

    def _refuse(self, records: Sequence[Mapping[str, JSON]]) -> None:
        """What would go wrong. Raises ToolFailedError."""
        if any(is_mine(str(each.get("ID", ""))) for each in records):
            why = (
                "I run in it, and compose stops a container before it starts the next. "
                "`kind: docker` does it the other way round."
            )
        elif not all(map(self._is_here, records)):
            why = (
                "its containers were made from another folder than the one that I see its compose "
                "file in, so relative paths in that would lead elsewhere. The folder has to have "
                "the same path for me."
            )
        else:
            return
        raise ToolFailedError(f"`{self._deploy.service}` cannot be deployed: {why}")

    def _is_here(self, record: Mapping[str, JSON]) -> bool:
        folder = made_in(record)
        return folder is None or folder in (self._folder, self._folder.resolve())

    async def _up(self) -> None:
        asked = ["up", "-d", "--no-deps", "--no-build", self._deploy.compose_service]
        seconds = self._deploy.apply_seconds
        await self._compose(asked, "docker compose up", seconds, Changed.MAYBE)

    async def _compose(
        self, asked: Sequence[str], shown: str, seconds: float, changed: Changed
    ) -> str:
        files = [*self._files, *([self._override.path] if self._override.is_there else [])]
        named = [part for file in files for part in ("-f", str(file))]
        argv = [self._deploy.program, "compose", "-p", self._deploy.project, *named, *asked]
        return await self._run(argv, shown, seconds, changed)

    async def _run(self, argv: Sequence[str], shown: str, seconds: float, changed: Changed) -> str:
        return await self._programs.ended_well(
            Program(argv=argv, shown=shown, seconds=seconds, changed=changed)
        )

    def _image(self, version: str) -> str:
        return f"{self._deploy.image}:{version}"
