"""The protobuf modules of the client library, imported in one place."""

from __future__ import annotations

from tests.simulator.preload import preload_library

preload_library()

from neonize.proto.waAdv import WAAdv_pb2 as adv  # noqa: E402
from neonize.proto.waCert import WACert_pb2 as cert  # noqa: E402
from neonize.proto.waCompanionReg import WAWebProtobufsCompanionReg_pb2 as companion  # noqa: E402
from neonize.proto.waE2E import WAWebProtobufsE2E_pb2 as e2e  # noqa: E402
from neonize.proto.waHistorySync import WAWebProtobufsHistorySync_pb2 as history_sync  # noqa: E402
from neonize.proto.waServerSync import WAServerSync_pb2 as server_sync  # noqa: E402
from neonize.proto.waSyncAction import WAWebProtobufSyncAction_pb2 as sync_action  # noqa: E402
from neonize.proto.waVnameCert import WAWebProtobufsVnameCert_pb2 as vname_cert  # noqa: E402
from neonize.proto.waWa6 import WAWebProtobufsWa6_pb2 as wa6  # noqa: E402
from neonize.proto.waWeb import WAWebProtobufsWeb_pb2 as web  # noqa: E402

__all__ = [
    "adv",
    "cert",
    "companion",
    "e2e",
    "history_sync",
    "server_sync",
    "sync_action",
    "vname_cert",
    "wa6",
    "web",
]
