"""The configuration: one frozen tree, read from YAML and the environment, and the only reader of both."""

from mautrix_whatsapp_py.config.encryption import EncryptionSection
from mautrix_whatsapp_py.config.load import Loaded, load, read, upgrade
from mautrix_whatsapp_py.config.options import RunOptions
from mautrix_whatsapp_py.config.permissions import Permission, PermissionLevel, Permissions
from mautrix_whatsapp_py.config.tree import (
    AppserviceSection,
    BotSection,
    BridgeSection,
    Config,
    DatabaseSection,
    HomeserverSection,
    LogFormat,
    LoggingSection,
    LogLevel,
    NetworkSection,
    StatusNotices,
    WhatsappSection,
)

__all__ = [
    "AppserviceSection",
    "BotSection",
    "BridgeSection",
    "Config",
    "DatabaseSection",
    "EncryptionSection",
    "HomeserverSection",
    "Loaded",
    "LogFormat",
    "LogLevel",
    "LoggingSection",
    "NetworkSection",
    "Permission",
    "PermissionLevel",
    "Permissions",
    "RunOptions",
    "StatusNotices",
    "WhatsappSection",
    "load",
    "read",
    "upgrade",
]
