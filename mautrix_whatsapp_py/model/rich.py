"""What WhatsApp messages say beside texts and files: places, people, polls, events, invitations and business."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mautrix_whatsapp_py.ids import WaJid
from mautrix_whatsapp_py.model.media import WaMedia
from mautrix_whatsapp_py.model.struct import WaStruct
from mautrix_whatsapp_py.model.wa_context import WaContext, WaMessageRef


class WaLocation(WaStruct, frozen=True, kw_only=True):
    """A place on earth, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""
    url: str = ""
    comment: str = ""
    context: WaContext = WaContext()


class WaLiveLocation(WaStruct, frozen=True, kw_only=True):
    """Where somebody is now; a higher sequence continues what was shared before."""

    latitude: float
    longitude: float
    caption: str = ""
    sequence: int = 0
    context: WaContext = WaContext()


class WaVcard(WaStruct, frozen=True, kw_only=True):
    """One contact: the name WhatsApp shows, and the card itself."""

    name: str
    text: str


class WaContactCards(WaStruct, frozen=True, kw_only=True):
    """Contacts that somebody shares."""

    cards: tuple[WaVcard, ...]
    title: str = ""
    context: WaContext = WaContext()


class WaPoll(WaStruct, frozen=True, kw_only=True):
    """A poll; 0 selectable options is any number of them."""

    question: str
    options: tuple[str, ...]
    selectable: int = 1
    ends_at: datetime | None = None
    is_quiz: bool = False
    context: WaContext = WaContext()


class WaPollVote(WaStruct, frozen=True, kw_only=True):
    """Somebody's vote in the target, in place of the one before: SHA-256 of the options chosen, perhaps none."""

    target: WaMessageRef
    options: tuple[bytes, ...]


class WaTally(WaStruct, frozen=True, kw_only=True):
    """How many chose an option."""

    option: str
    count: int


class WaPollResult(WaStruct, frozen=True, kw_only=True):
    """The outcome of a poll, as a channel publishes it."""

    question: str
    votes: tuple[WaTally, ...]
    context: WaContext = WaContext()


class WaGroupInvite(WaStruct, frozen=True, kw_only=True):
    """An invitation to a group, for the person it was sent to."""

    group: WaJid
    code: str
    name: str = ""
    caption: str = ""
    expires_at: datetime | None = None
    is_community: bool = False
    context: WaContext = WaContext()


class WaOccasion(WaStruct, frozen=True, kw_only=True):
    """An event people are invited to."""

    name: str
    description: str = ""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    place: str = ""
    join_link: str = ""
    is_canceled: bool = False
    context: WaContext = WaContext()


class WaAnswer(StrEnum):
    """What somebody says to an invitation."""

    GOING = "going"
    NOT_GOING = "not-going"
    MAYBE = "maybe"


class WaOccasionAnswer(WaStruct, frozen=True, kw_only=True):
    """Somebody's answer to the event that is the target."""

    target: WaMessageRef
    answer: WaAnswer
    guests: int = 0


class WaPin(WaStruct, frozen=True, kw_only=True):
    """The target is pinned for everyone, for so long, or no longer."""

    target: WaMessageRef
    is_pinned: bool
    seconds: int = 0


class WaAlbum(WaStruct, frozen=True, kw_only=True):
    """The head of an album; its files follow as messages of their own."""

    images: int = 0
    videos: int = 0


class WaComment(WaStruct, frozen=True, kw_only=True):
    """A comment on an announcement."""

    target: WaMessageRef
    body: str
    context: WaContext = WaContext()


class WaCardKind(StrEnum):
    """What a message is that is told rather than shown."""

    AI_ANSWER = "ai-answer"
    BOT_REGISTERED = "bot-registered"
    BOT_TASK = "bot-task"
    BROADCAST_CALL = "broadcast-call"
    BUTTONS = "buttons"
    BUTTON_ANSWER = "button-answer"
    CALL_LOG = "call-log"
    CHAT = "chat"
    EVENT_CHANGED = "event-changed"
    EVENT_COVER = "event-cover"
    EVENT_INVITE = "event-invite"
    FORM_ANSWER = "form-answer"
    GROUP_MENTIONED_IN_STATUS = "group-mentioned-in-status"
    GROUP_STATUS = "group-status"
    HISTORY_SHARED = "history-shared"
    INTERACTIVE = "interactive"
    INVOICE = "invoice"
    KEPT = "kept"
    LIST = "list"
    LIST_ANSWER = "list-answer"
    MENTIONED_IN_STATUS = "mentioned-in-status"
    MUSIC = "music"
    NEWSLETTER_ADMIN_INVITE = "newsletter-admin-invite"
    NEWSLETTER_INVITE = "newsletter-invite"
    NEWSLETTER_PROFILE = "newsletter-profile"
    ORDER = "order"
    PAYMENT = "payment"
    PAYMENT_CANCELED = "payment-canceled"
    PAYMENT_DECLINED = "payment-declined"
    PAYMENT_INVITE = "payment-invite"
    PAYMENT_REMINDER = "payment-reminder"
    PAYMENT_REQUEST = "payment-request"
    PHONE_ONLY = "phone-only"
    PHONE_NUMBER_REQUEST = "phone-number-request"
    POLL_IMAGE = "poll-image"
    POLL_OPTION_ADDED = "poll-option-added"
    PRODUCT = "product"
    QUESTION = "question"
    QUESTION_ANSWER = "question-answer"
    SCHEDULED = "scheduled"
    SCHEDULED_CALL = "scheduled-call"
    SCHEDULED_CALL_CANCELED = "scheduled-call-canceled"
    SEALED = "sealed"
    SEALED_VOTE = "sealed-vote"
    SETTING = "setting"
    SHARING_LIMITED = "sharing-limited"
    SHARING_UNLIMITED = "sharing-unlimited"
    SPLIT_PAYMENT = "split-payment"
    SPLIT_PAYMENT_CHANGED = "split-payment-changed"
    SPOILER = "spoiler"
    STATUS_ADD_YOURS = "status-add-yours"
    STATUS_NEWS = "status-news"
    STATUS_QUOTED = "status-quoted"
    STATUS_STICKER = "status-sticker"
    STICKER_PACK = "sticker-pack"
    TEMPLATE = "template"
    TEMPLATE_ANSWER = "template-answer"
    UNKEPT = "unkept"


class WaAmount(WaStruct, frozen=True, kw_only=True):
    """Money, in thousandths of a currency's unit."""

    thousandths: int
    currency: str = ""


class WaCard(WaStruct, frozen=True, kw_only=True):
    """A message that Matrix has no counterpart of: its words, and what one could have chosen."""

    kind: WaCardKind
    title: str = ""
    body: str = ""
    footer: str = ""
    details: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    amount: WaAmount | None = None
    at: datetime | None = None
    link: str = ""
    media: WaMedia | None = None
    context: WaContext = WaContext()
