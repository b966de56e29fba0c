"""Where questions go, in words: a cloud service by name, or a model near by. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Protocol
from urllib.parse import urlsplit

from lycatra_appservice.chat import messages
from lycatra_appservice.chat.room_settings import RoomSettings
from lycatra_appservice.words.text import Text

# By the ends of their hosts' names. Whoever is not in here is named by the host.
_CLOUDS: Final = {
    "openai.com": "OpenAI",
    "anthropic.com": "Anthropic",
    "openrouter.ai": "OpenRouter",
    "mistral.ai": "Mistral AI",
    "groq.com": "Groq",
    "googleapis.com": "Google",
    "azure.com": "Microsoft Azure",
    "amazonaws.com": "Amazon Web Services",
    "deepseek.com": "DeepSeek",
    "x.ai": "xAI",
    "together.xyz": "Together AI",
    "together.ai": "Together AI",
    "fireworks.ai": "Fireworks AI",
    "perplexity.ai": "Perplexity",
    "cohere.com": "Cohere",
    "cohere.ai": "Cohere",
    "huggingface.co": "Hugging Face",
    "deepinfra.com": "DeepInfra",
    "cerebras.ai": "Cerebras",
    "sambanova.ai": "SambaNova",
    "nebius.com": "Nebius",
    "scaleway.ai": "Scaleway",
    "infomaniak.com": "Infomaniak",
    "ionos.com": "IONOS",
    "ovh.net": "OVHcloud",
    "aliyuncs.com": "Alibaba Cloud",
    "moonshot.ai": "Moonshot AI",
    "moonshot.cn": "Moonshot AI",
    "z.ai": "Z.ai",
    "github.ai": "GitHub",
    "nvidia.com": "NVIDIA",
    "cloudflare.com": "Cloudflare",
    "ollama.com": "Ollama",
}
# The machine itself as a container calls it: Docker, Podman.
_THIS_MACHINE: Final = frozenset(
    {"localhost", "host.docker.internal", "host.containers.internal", "gateway.docker.internal"}
)
# Names that no public server can have, and those that home routers give.
_NEAR: Final = (".localhost", ".local", ".lan", ".internal", ".home.arpa", ".home", ".box")


class ModelAddress(Protocol):
    """Of a model's section of the configuration."""

    @property
    def base_url(self) -> str:
        """Where requests go."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def local(self) -> bool | None:
        """Whether the operator says that questions to it stay with us; None: by its address."""


def is_local(model: ModelAddress) -> bool:
    """Whether it may be asked where questions shall not leave."""
    if model.local is not None:
        return model.local
    return _place_of(model).is_near


def asked_in(models: Mapping[str, ModelAddress], settings: RoomSettings) -> Sequence[ModelAddress]:
    """The models that answer in a room, in the order in which they are asked."""
    names = sorted(models, key=lambda name: name != settings.model)
    usable = (models[name] for name in names)
    return [each for each in usable if settings.local_only == "off" or is_local(each)]


def where_questions_go(models: Iterable[ModelAddress]) -> Text:
    """The line that people read before they ask something private."""
    places = list(dict.fromkeys(map(_place_of, models)))
    if not places:
        return messages.questions_unanswered()
    said = places[0].sentence()
    for place in places[1:]:
        said = messages.questions_then(said, place.within())
    return said


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a model; `host` is None for this very machine."""

    service: str | None
    host: str | None
    is_near: bool

    def sentence(self) -> Text:
        if self.host is None:
            return messages.questions_stay_here()
        if self.is_near:
            return messages.questions_stay_near(self.host)
        return messages.questions_go_to(self.service, self.host)

    def within(self) -> Text:
        return messages.model_by_place(self.service, self.host, near=self.is_near)


def _place_of(model: ModelAddress) -> _Place:
    host = (urlsplit(model.base_url).hostname or "").rstrip(".")
    service = _cloud_of(host)
    if service is not None or not _is_near(host):
        return _Place(service, host, is_near=False)
    if _is_relayed(model.model):
        return _Place("Ollama", "ollama.com", is_near=False)
    return _Place(None, None if _is_this_machine(host) else host, is_near=True)


def _cloud_of(host: str) -> str | None:
    for end, name in _CLOUDS.items():
        if host == end or host.endswith(f".{end}"):
            return name
    return None


def _is_relayed(model: str) -> bool:
    """Whether a local Ollama only passes it on: such models are tagged so."""
    return model.endswith((":cloud", "-cloud"))


def _is_this_machine(host: str) -> bool:
    if host in _THIS_MACHINE:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_near(host: str) -> bool:
    if _is_this_machine(host):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        # A name without a dot is a container's or a machine's of this network.
        return "." not in host or host.endswith(_NEAR)
    return not address.is_global
