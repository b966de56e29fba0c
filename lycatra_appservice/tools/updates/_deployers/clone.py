"""Makes of a container the body of a request for one like it of another image; pure.

What a container shows of its configuration has that of its old image mixed in. That part is left
out, or the new image would keep the command, the variables and the health check of the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

# What the old image may have set as a whole, and what it may have added to.
_AS_A_WHOLE: Final = ("Cmd", "Healthcheck", "StopSignal", "Shell", "User", "WorkingDir")
_ADDED_TO: Final = ("Labels", "ExposedPorts", "Volumes")
_OWN_NETWORK: Final = ("host", "none", "container:")  # where nothing is connected
_OF_AN_ENDPOINT: Final = ("IPAMConfig", "Links", "Aliases", "DriverOpts", "GwPriority")
_CANARY_OF: Final = "org.lycatra.canary-of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """The request's body, and the networks to connect it to beside the one in that."""

    body: Mapping[str, Any]
    networks: Mapping[str, Mapping[str, Any]]


def clone_of(
    container: Mapping[str, Any], image_config: Mapping[str, Any] | None, image: str
) -> Clone:
    """As the container was asked for; `image_config` is the `Config` of its own old image."""
    config = _without_image(container["Config"], image_config or {})
    if config.get("Hostname") == container["Id"][:12]:
        del config["Hostname"]  # made up of its id
    host = {**container["HostConfig"]}
    _keep_volumes(host, container.get("Mounts") or [])
    endpoints = _endpoints(container, host)
    main = _main_network(container, host, endpoints)
    first = {main: endpoints[main]} if main else {}  # older engines take only one here
    body = {**config, "Image": image, "HostConfig": host}
    if first:
        body["NetworkingConfig"] = {"EndpointsConfig": first}
    return Clone(
        body=body, networks={name: each for name, each in endpoints.items() if name not in first}
    )


def canary_of(clone: Clone, name: str) -> Clone:
    """The same beside it: nobody finds it, and it changes nothing."""
    host = {
        **clone.body["HostConfig"],
        "PortBindings": {},
        "PublishAllPorts": False,
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "Binds": [_read_only(each) for each in clone.body["HostConfig"].get("Binds") or []],
        "Mounts": [
            {**each, "ReadOnly": True} for each in clone.body["HostConfig"].get("Mounts") or []
        ],
    }
    networking = clone.body.get("NetworkingConfig", {}).get("EndpointsConfig", {})
    body = {
        **clone.body,
        "Labels": {_CANARY_OF: name},  # those of its own could lead traffic to it
        "HostConfig": host,
    }
    if networking:
        body["NetworkingConfig"] = {"EndpointsConfig": {each: {} for each in networking}}
    return Clone(body=body, networks={each: {} for each in clone.networks})


def _without_image(config: Mapping[str, Any], image: Mapping[str, Any]) -> dict[str, Any]:
    own = {**config}
    for key in _AS_A_WHOLE:
        if own.get(key) == image.get(key):
            own.pop(key, None)
    # An entry point of its own goes together with the command, even where that is the image's.
    if own.get("Entrypoint") == image.get("Entrypoint"):
        own.pop("Entrypoint", None)
    elif "Cmd" in config:
        own["Cmd"] = config["Cmd"]
    own["Env"] = _minus(own.get("Env") or [], image.get("Env") or [])
    for key in _ADDED_TO:
        of_image = image.get(key) or {}
        own[key] = {
            name: value
            for name, value in (own.get(key) or {}).items()
            if name not in of_image or of_image[name] != value
        }
    return own


def _minus(values: Sequence[str], others: Sequence[str]) -> list[str]:
    return [each for each in values if each not in others]


def _keep_volumes(host: dict[str, Any], mounts: Sequence[Mapping[str, Any]]) -> None:
    """Bind volumes without a name of their own, too, or their content would be left behind."""
    binds = list(host.get("Binds") or [])
    named = {each.split(":")[1] for each in binds if each.count(":") >= 1}
    kept = [each for each in host.get("Mounts") or [] if each.get("Source")]
    named |= {each.get("Target") for each in kept}
    others = [each for each in host.get("Mounts") or [] if not each.get("Source")]
    unnamed = {each["Destination"] for each in mounts if each.get("Type") == "volume"}
    kept += [each for each in others if each.get("Target") not in unnamed]
    for mount in mounts:
        if mount.get("Type") == "volume" and mount["Destination"] not in named:
            mode = "rw" if mount.get("RW", True) else "ro"
            binds.append(f"{mount['Name']}:{mount['Destination']}:{mode}")
    host["Binds"], host["Mounts"] = binds, kept


def _endpoints(
    container: Mapping[str, Any], host: Mapping[str, Any]
) -> Mapping[str, Mapping[str, Any]]:
    if str(host.get("NetworkMode", "")).startswith(_OWN_NETWORK):
        return {}
    networks = container.get("NetworkSettings", {}).get("Networks") or {}
    return {name: _endpoint(each, container["Id"][:12]) for name, each in networks.items()}


def _main_network(
    container: Mapping[str, Any],
    host: Mapping[str, Any],
    endpoints: Mapping[str, Mapping[str, Any]],
) -> str | None:
    """The one that its mode names: the engine connects that by itself, and once only."""
    mode = str(host.get("NetworkMode", ""))
    mode = "bridge" if mode in ("", "default") else mode
    shown = container.get("NetworkSettings", {}).get("Networks") or {}
    by_id = (name for name in endpoints if shown[name].get("NetworkID") == mode)
    return mode if mode in endpoints else next(by_id, next(iter(endpoints), None))


def _endpoint(shown: Mapping[str, Any], short_id: str) -> Mapping[str, Any]:
    kept = {key: shown[key] for key in _OF_AN_ENDPOINT if shown.get(key)}
    if "Aliases" in kept:
        kept["Aliases"] = _minus(kept["Aliases"], [short_id])
    return kept


def _read_only(bind: str) -> str:
    source, target, *mode = bind.split(":")
    kept = [each for each in ",".join(mode).split(",") if each and each not in ("rw", "ro")]
    return ":".join([source, target, ",".join(["ro", *kept])])
