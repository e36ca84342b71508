"""The certificate a business shows its name with."""

from __future__ import annotations

from tests.simulator.nodes import Node, node
from tests.simulator.protobufs import vname_cert


def business_node(name: str) -> Node:
    """The `<verified_name>` of a business; no client checks its signature."""
    details = vname_cert.VerifiedNameCertificate.Details(serial=1, issuer="smb:wa", verifiedName=name, issueTime=1)
    certificate = vname_cert.VerifiedNameCertificate(details=details.SerializeToString(), signature=bytes(64))
    return node("verified_name", {"v": "2"}, certificate.SerializeToString())
