"""Deploys a container by the Docker Engine's API: a new one of the same configuration."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager

from lycatra_appservice.toolkit.base import ToolContext, ToolFailedError
from lycatra_appservice.tools._docker_changes import ChangingEngine, Shown, changing_engine
from lycatra_appservice.tools._docker_engine import EngineError
from lycatra_appservice.tools.updates._deploy_settings import DockerDeploy
from lycatra_appservice.tools.updates._deployers.canary import try_out
from lycatra_appservice.tools.updates._deployers.clone import Clone, clone_of
from lycatra_appservice.tools.updates._deployers.engine_names import Names
from lycatra_appservice.tools.updates._deployers.own_container import is_mine
from lycatra_appservice.tools.updates._deployers.port import (
    Change,
    Changed,
    DeployError,
    Outlook,
    Progress,
    Running,
)
from lycatra_appservice.tools.updates._versions import repository_of, tag_of, tag_problem


class DockerDeployer:
    """The old container stays under another name until the new one is kept.

    Each state between two requests can be told by names and images alone, so that a run which
    was cut off is gone on with: both there under their own names; the new one beside; the old one
    stopped; the old one renamed; the new one renamed; the new one started.
    """

    def __init__(self, deploy: DockerDeploy, ctx: ToolContext) -> None:
        """For one call."""
        self._deploy = deploy
        self._ctx = ctx
        self._names = Names(deploy.container)

    @property
    def is_repeatable(self) -> bool:
        """Each state leads to the same end."""
        return True

    @property
    def tries_out(self) -> bool:
        """Only where it is wished: not every container can run twice."""
        return self._deploy.canary

    async def outlook(self, change: Change) -> Outlook:
        """The image, and how the container is. Raises ToolFailedError."""
        problem = tag_problem(change.version)
        if problem is not None:
            raise ToolFailedError(f"{problem}.")
        async with self._engine() as engine:
            live = await engine.shown(self._names.live)
        if live is None:
            raise ToolFailedError(f"Docker has {self._nothing}.")
        self._refuse(live)
        image, old = self._image(live, change.version), live.container.image
        return Outlook(
            steps=[
                f"gets the image `{image}`" if self._deploy.pull else f"takes the image `{image}`",
                f"replaces the container `{self._names.live}` of `{old}` by one of `{image}`",
            ],
            now=[f"now `{self._names.live}` is {live.container.state}"],
        )

    async def running(self) -> Running:
        """The container under its own name."""
        async with self._engine() as engine:
            live = await engine.shown(self._names.live)
        if live is None:
            return Running(version=None, ok=False, detail="not there")
        container = live.container
        return Running(
            version=tag_of(container.image),
            ok=container.is_well,
            detail=container.state,
            is_over=container.has_given_up,
            start=container.started_at,
        )

    async def try_out(self, change: Change) -> None:
        """Run a second container for a moment. Raises DeployError."""
        progress = Progress()
        with self._in_words(progress):
            async with self._engine() as engine:
                model = await self._model(engine)
                image = await self._got(engine, model, change.version)
                clone = await self._clone(engine, model, image)
                await try_out(engine, self._names, clone, self._deploy)

    async def apply(self, change: Change) -> None:
        """Bring the container of this tag. Raises DeployError."""
        if not (change.is_back and await self._is_back(change.version)):
            await self._bring(change)

    async def _bring(self, change: Change) -> None:
        progress = Progress()
        with self._in_words(progress):
            async with self._engine() as engine:
                model = await self._model(engine)
                image = await self._wanted(engine, model, change)
                wanted = await engine.image(image)
                if wanted is None:
                    said = f"Docker does not have the image `{image}`."
                    raise DeployError(said, Changed.NOTHING)
                if not await self._is_live(engine, image, wanted["Id"]):
                    await self._replace(engine, model, image, progress)
                progress.changed = Changed.SOMETHING
                await engine.start(self._names.live)

    async def _is_back(self, version: str) -> bool:
        """Give the old container its name again; whether it was still there."""
        names, progress = self._names, Progress()
        with self._in_words(progress):
            async with self._engine() as engine:
                live, old = await engine.shown(names.live), await engine.shown(names.old)
                if _is_of(old, version):
                    progress.changed = Changed.SOMETHING
                    if live is not None:
                        await engine.stop(names.live, self._deploy.stop_seconds)
                        await engine.remove(names.live)
                    await engine.rename(names.old, names.live)
                    live = old
                if not _is_of(live, version):
                    return False
                await engine.start(names.live)
                await engine.remove(names.new)
        return True

    async def keep(self) -> None:
        """Remove the old container; its volumes stay, and its image. Raises DeployError."""
        with self._in_words(Progress(Changed.SOMETHING)):
            async with self._engine() as engine:
                for name in (self._names.canary, self._names.new):
                    await engine.remove(name)
                if await engine.shown(self._names.old) is not None:
                    # Which is this very process, where Lycatra updates itself.
                    await engine.stop(self._names.old, self._deploy.stop_seconds)
                    await engine.remove(self._names.old)

    async def _replace(
        self, engine: ChangingEngine, model: Shown, image: str, progress: Progress
    ) -> None:
        names = self._names
        await engine.remove(names.new)
        clone = await self._clone(engine, model, image)
        await engine.create(names.new, clone.body, clone.networks)
        if await engine.shown(names.live) is not None:
            await engine.remove(names.old)  # of a deployment that was left as it was
            if not self._deploy.itself:
                progress.changed = Changed.MAYBE
                await engine.stop(names.live, self._deploy.stop_seconds)
            progress.changed = Changed.SOMETHING
            await engine.rename(names.live, names.old)
        progress.changed = Changed.SOMETHING
        await engine.rename(names.new, names.live)

    async def _is_live(self, engine: ChangingEngine, image: str, image_id: str) -> bool:
        live = await engine.shown(self._names.live)
        return live is not None and (live.container.image, live.image_id) == (image, image_id)

    async def _model(self, engine: ChangingEngine) -> Shown:
        """What the new container is to be like: the one of the name, or the one that had it."""
        names = self._names
        model = await engine.shown(names.live) or await engine.shown(names.old)
        if model is None:
            raise DeployError(f"Docker has {self._nothing}.", Changed.NOTHING)
        self._refuse(model)
        return model

    async def _clone(self, engine: ChangingEngine, model: Shown, image: str) -> Clone:
        own = await engine.image(model.image_id)
        if own is None:
            said = f"Docker no longer has the image that `{self._names.live}` was made of."
            raise DeployError(said, Changed.NOTHING)
        try:
            return clone_of(model.everything, own["Config"], image)
        except (LookupError, TypeError, ValueError, AttributeError) as exc:
            said = "Docker shows a container that I do not understand."
            raise DeployError(said, Changed.NOTHING) from exc

    async def _got(self, engine: ChangingEngine, model: Shown, version: str) -> str:
        image = self._image(model, version)
        if self._deploy.pull:
            await engine.pull(image, self._login)
        return image

    async def _wanted(self, engine: ChangingEngine, model: Shown, change: Change) -> str:
        image = self._image(model, change.version)
        if change.is_back and await engine.image(image) is not None:
            return image  # no registry has to be up for a way back
        return await self._got(engine, model, change.version)

    @property
    def _login(self) -> Mapping[str, str] | None:
        login = self._deploy.registry
        if login is None:
            return None
        return {"username": login.username, "password": login.password.get_secret_value()}

    def _image(self, model: Shown, version: str) -> str:
        return f"{self._deploy.image or repository_of(model.container.image)}:{version}"

    def _refuse(self, model: Shown) -> None:
        """What could not be brought back. Raises DeployError."""
        host = model.everything.get("HostConfig", {})
        name = self._names.live
        if host.get("AutoRemove"):
            why = "it is removed when it stops (`--rm`), so it could not be brought back"
        elif model.container.image.startswith("sha256:") and self._deploy.image is None:
            why = "its image has no name; `image` in its settings can give one"
        elif is_mine(model.everything["Id"]) and not self._deploy.itself:
            why = "it is the one that I run in; `itself: true` in its settings says so"
        elif self._deploy.itself and host.get("PortBindings"):
            why = (
                "it has published ports, which the new one needs while this one still runs: "
                "put a proxy before it"
            )
        else:
            return
        raise DeployError(f"`{name}` cannot be deployed: {why}.", Changed.NOTHING)

    @property
    def _nothing(self) -> str:
        return f"no container called `{self._names.live}`"

    @asynccontextmanager
    async def _engine(self) -> AsyncIterator[ChangingEngine]:
        try:
            async with changing_engine(self._deploy.address, self._ctx.http) as engine:
                yield engine
        except EngineError as exc:
            # Docker's own words are for who runs us: they may hold paths and addresses.
            self._ctx.log.warning(
                "docker_failed",
                extra={"service": self._deploy.service, "reason": str(exc.__cause__)},
            )
            raise

    @contextmanager
    def _in_words(self, progress: Progress) -> Iterator[None]:
        try:
            yield
        except EngineError as exc:
            raise DeployError(exc.user_message, progress.changed) from exc


def _is_of(shown: Shown | None, version: str) -> bool:
    return shown is not None and tag_of(shown.container.image) == version
