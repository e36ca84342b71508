"""WhatsApp accounts, their linked devices, and how to find them."""

from __future__ import annotations

import enum
import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulator.jids import LID, PN, Jid
from tests.simulator.nodes import AttrValue, Node
from tests.simulator.signal_protocol.device import Bundle, Prekey, SignedPrekey
from tests.simulator.violations import ProtocolViolationError, ViolationKind

if TYPE_CHECKING:
    from tests.simulator.appstate import AppState
    from tests.simulator.connection import Connection
    from tests.simulator.phone import Phone


class Addressing(enum.StrEnum):
    """Which of an account's addresses others get to see."""

    LID_AND_PN = "LID with the phone number beside it"
    LID_ONLY = "LID alone"
    PN_ONLY = "phone number alone"
    PN_AND_LID = "phone number with the LID beside it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A profile or group picture."""

    picture_id: str
    data: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Device:
    """A linked companion; the phone itself is device 0 and lives in `Account.phone`."""

    account: Account
    number: int
    noise_public: bytes
    identity: bytes
    registration_id: int
    signed_prekey: SignedPrekey
    signed_identity: bytes = b""
    props: bytes = b""
    """What it said of itself when it was linked, and how much history it asked for: a DeviceProps."""
    prekeys: list[Prekey] = field(default_factory=list)
    connection: Connection | None = None
    queue: list[Node] = field(default_factory=list)
    is_active: bool = False
    has_uploaded_prekeys: bool = False

    @property
    def lid(self) -> Jid:
        """The device's LID."""
        return self.account.lid.with_device(self.number)

    @property
    def pn(self) -> Jid:
        """The device's phone-number address."""
        return self.account.pn.with_device(self.number)

    def take_bundle(self) -> Bundle:
        """A bundle for somebody who wants to write; uses up a one-time prekey."""
        return Bundle(
            registration_id=self.registration_id,
            identity=self.identity,
            signed=self.signed_prekey,
            prekey=self.prekeys.pop(0) if self.prekeys else None,
        )


class Account:
    """One person on WhatsApp: a phone, its companions and its profile."""

    def __init__(self, *, number: str, lid: str, name: str) -> None:
        self.pn, self.lid, self.name = Jid(number, PN), Jid(lid, LID), name
        self.addressing = Addressing.LID_AND_PN
        self.group_addressing: str | None = None
        """How this account is shown senders in groups, whatever mode the group has."""
        self.business_name: str | None = None
        self.about = "Hey there! I am using WhatsApp."
        self.picture: Picture | None = None
        self.is_picture_hidden = False
        self.is_online = False
        self.last_seen = int(time.time())
        self.blocked: set[Jid] = set()
        self.privacy = dict.fromkeys(_PRIVACY_NAMES, "all")
        self.watchers: set[Account] = set()
        self.devices: dict[int, Device] = {}
        self.next_device = 1
        self.max_companions = 4
        self._phone: Phone | None = None
        self._app_state: AppState | None = None

    @property
    def phone(self) -> Phone:
        """The primary phone."""
        if self._phone is None:
            raise LookupError("the account has no phone yet")
        return self._phone

    @phone.setter
    def phone(self, phone: Phone) -> None:
        self._phone = phone

    @property
    def app_state(self) -> AppState:
        """The account's synchronised settings."""
        if self._app_state is None:
            raise LookupError("the account has no app state yet")
        return self._app_state

    @app_state.setter
    def app_state(self, state: AppState) -> None:
        self._app_state = state

    @property
    def device_numbers(self) -> list[int]:
        """The phone and all companions."""
        return [0, *sorted(self.devices)]

    @property
    def shown(self) -> Jid:
        """The address others see first."""
        is_lid = self.addressing in (Addressing.LID_AND_PN, Addressing.LID_ONLY)
        return self.lid if is_lid else self.pn

    def owns(self, jid: Jid) -> bool:
        """True for any address of this account."""
        return jid.user in (self.pn.user, self.lid.user)

    def sender_attrs(self, device: int) -> dict[str, AttrValue]:
        """How a direct stanza from one of our devices names its sender."""
        match self.addressing:
            case Addressing.LID_AND_PN:
                return {"from": self.lid.with_device(device), "sender_pn": self.pn.with_device(device)}
            case Addressing.LID_ONLY:
                return {"from": self.lid.with_device(device)}
            case Addressing.PN_ONLY:
                return {"from": self.pn.with_device(device)}
            case Addressing.PN_AND_LID:
                return {
                    "from": self.pn.with_device(device),
                    "sender_lid": self.lid.with_device(device),
                    "addressing_mode": "pn",
                }

    def participant_attrs(self, device: int, addressing_mode: str) -> dict[str, AttrValue]:
        """How a group stanza from one of our devices names its sender."""
        if addressing_mode == "pn":
            return {
                "participant": self.pn.with_device(device),
                "participant_lid": self.lid.with_device(device),
                "addressing_mode": "pn",
            }
        attrs: dict[str, AttrValue] = {"participant": self.lid.with_device(device), "addressing_mode": "lid"}
        if self.addressing is not Addressing.LID_ONLY:
            attrs["participant_pn"] = self.pn.with_device(device)
        return attrs

    def __repr__(self) -> str:
        return f"<Account {self.name} {self.pn.user}>"


class Registry:
    """All accounts by either address."""

    def __init__(self) -> None:
        self._by_user: dict[str, Account] = {}

    def add(self, account: Account) -> None:
        """Remember an account."""
        self._by_user[account.pn.user] = self._by_user[account.lid.user] = account

    def __iter__(self) -> Iterator[Account]:
        return iter(dict.fromkeys(self._by_user.values()))

    def get(self, jid: Jid) -> Account | None:
        """The owner of an address or None."""
        return self._by_user.get(jid.user)

    def by_number(self, number: str) -> Account | None:
        """The owner of a phone number in any spelling or None."""
        return self._by_user.get("".join(c for c in number if c.isdigit()))

    def by_lid_user(self, user: str) -> Account:
        """The account with this LID."""
        return self._by_user[user]

    def require(self, jid: Jid, stanza: Any = None) -> Account:
        """The owner of an address; a violation when there is none."""
        found = self.get(jid)
        if found is None:
            raise ProtocolViolationError(ViolationKind.UNKNOWN_USER, str(jid), str(stanza or ""))
        return found


def lid_for(number: str) -> str:
    """A stable made-up LID for a phone number."""
    return str(10**14 + int(hashlib.sha256(number.encode()).hexdigest()[:11], 16) % 10**14)


_PRIVACY_NAMES = (
    "groupadd",
    "last",
    "status",
    "profile",
    "readreceipts",
    "online",
    "calladd",
    "messages",
    "defense",
    "stickers",
)
