"""Which Matrix users are ours: `@lycatra`, one for each namespace, and the technical sender."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Protocol

from lycatra_appservice.model import UserID

DEVICE_ID: Final = "LYC"  # one device each, the same name for all: (user, device) is the key
# What our devices that encrypt are called; each has keys, which are lost with the database.
KEY_DEVICE_PREFIX: Final = "LYCE"

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_LOCALPART: Final = re.compile(r"[a-z0-9][a-z0-9._=/+-]*")
_SENDER: Final = "sender"
_MAX_USER_ID_BYTES: Final = 255  # client-server API, user identifiers


class NamedNamespace(Protocol):
    """What a virtual user is made of."""

    @property
    def name(self) -> str:
        """The folder's name, which becomes the end of the localpart."""

    @property
    def display_name(self) -> str:
        """What people read above the messages."""


class VirtualUsers:
    """The users of one deployment; all localparts derive from `localpart`.

    Raises ValueError for a namespace that cannot have a user: called `sender`, named twice, or
    with characters that do not belong into a localpart.
    """

    device_id: Final = DEVICE_ID

    def __init__(
        self,
        *,
        server_name: str,
        namespaces: Sequence[NamedNamespace],
        localpart: str = "lycatra",
        display_name: str = "Lycatra",
    ) -> None:
        if not _LOCALPART.fullmatch(localpart):
            raise ValueError(f"{localpart!r} cannot be a localpart: a-z, 0-9 and . _ = / + - only")
        self._localpart = localpart
        self.server_name = server_name
        self.main = UserID(f"@{localpart}:{server_name}")
        self.sender = self._named(_SENDER)
        self._namespaces = self._users_of(namespaces)
        self._display_names = MappingProxyType(
            {
                self.main: display_name,
                self.sender: f"{display_name} (technical)",
                **{self._named(each.name): each.display_name for each in namespaces},
            }
        )

    @property
    def all(self) -> Sequence[UserID]:
        """Whom people can talk to: `@lycatra` first, then the namespaces' users in order."""
        return (self.main, *self._namespaces)

    @property
    def pattern(self) -> str:
        """The regular expression of the registration's user namespace, anchored and escaped."""
        ours, server = re.escape(self._localpart), re.escape(self.server_name)
        return rf"^@{ours}(_[a-z0-9._=/+-]+)?:{server}$"

    def of(self, namespace: str) -> UserID:
        """The user of a namespace. Raises KeyError for one that is not configured."""
        user_id = self._named(namespace)
        if user_id not in self._namespaces:
            raise KeyError(namespace)
        return user_id

    def namespace_of(self, user_id: UserID) -> str | None:
        """The namespace a user answers for; None for `@lycatra`, the sender and strangers."""
        return self._namespaces.get(user_id)

    def is_ours(self, user_id: str) -> bool:
        """Whether a user lies in our exclusive namespace, configured or not.

        Homeservers let people invite `@lycatra_nope`, so this alone is no reason to act as it.
        """
        local, separator, server = user_id.partition(":")
        mine = f"@{self._localpart}"
        return (
            bool(separator)
            and server == self.server_name
            and (local == mine or (local.startswith(f"{mine}_") and len(local) > len(mine) + 1))
        )

    def former_namespace_of(self, user_id: UserID) -> str | None:
        """The namespace that a user of ours was made for, if we do not run it any more."""
        if not self.is_ours(user_id) or self.exists(user_id):
            return None
        return self.localpart_of(user_id).removeprefix(f"{self._localpart}_")

    def exists(self, user_id: str) -> bool:
        """Whether a user is one that we run, the technical sender included."""
        return user_id in self._display_names

    def display_name(self, user_id: UserID) -> str:
        """What people read above a user's messages. Raises KeyError for a user not ours."""
        return self._display_names[user_id]

    def localpart_of(self, user_id: UserID) -> str:
        """The part between `@` and `:`, as registration takes it."""
        return user_id[1:].partition(":")[0]

    def _named(self, suffix: str) -> UserID:
        return UserID(f"@{self._localpart}_{suffix}:{self.server_name}")

    def _users_of(self, namespaces: Sequence[NamedNamespace]) -> Mapping[UserID, str]:
        users: dict[UserID, str] = {}
        for namespace in namespaces:
            user_id = self._named(namespace.name)
            _check(namespace.name, user_id)
            if user_id in users:
                raise ValueError(f"two namespaces are called {namespace.name!r}")
            users[user_id] = namespace.name
        return MappingProxyType(users)


def _check(name: str, user_id: UserID) -> None:
    if name == _SENDER:
        raise ValueError(f"no namespace may be called {name!r}: the technical user has that name")
    if not _NAME.fullmatch(name):
        raise ValueError(f"namespace {name!r} must be a-z, 0-9 and _, beginning with a letter")
    if len(user_id.encode()) > _MAX_USER_ID_BYTES:
        raise ValueError(f"namespace {name!r} makes a user id longer than 255 bytes")
