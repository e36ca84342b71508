"""A real Synapse, a real client over HTTP, the bridge as a process and a faulty network between them."""

from tests.homeserver.accounts import Account
from tests.homeserver.births import Nursery
from tests.homeserver.client import MatrixClient, MatrixRequestFailed
from tests.homeserver.events import Event, Json, Kind, Mark
from tests.homeserver.fault_proxy import Fault, FaultProxy
from tests.homeserver.ports import PortPool
from tests.homeserver.registration import Registration
from tests.homeserver.runner import BridgeProcess
from tests.homeserver.synapse import Synapse
from tests.homeserver.synapse_config import PostgresDatabase, SqliteDatabase, SynapseDatabase
from tests.homeserver.template import SynapseTemplate

__all__ = [
    "Account",
    "BridgeProcess",
    "Event",
    "Fault",
    "FaultProxy",
    "Json",
    "Kind",
    "Mark",
    "MatrixClient",
    "MatrixRequestFailed",
    "Nursery",
    "PortPool",
    "PostgresDatabase",
    "Registration",
    "SqliteDatabase",
    "Synapse",
    "SynapseDatabase",
    "SynapseTemplate",
]
