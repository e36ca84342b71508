"""What workers that share a database must agree on."""

from __future__ import annotations

import re

from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.tree import GENERATE, SQLITE, Config

_NAME = re.compile(r"[A-Za-z0-9._-]{0,32}")
SHORTEST_TTL_SECONDS = 3
LONGEST_TTL_SECONDS = 300
MOST_WEIGHT = 1000


def check_cluster(config: Config, findings: Findings) -> None:
    """Record what keeps several workers from sharing the accounts."""
    section, here = config.cluster, "cluster"
    if _NAME.fullmatch(section.worker) is None:
        findings.add((here, "worker"), "may have 32 characters of A-Z, a-z, 0-9 and . _ -")
    if not SHORTEST_TTL_SECONDS <= section.lease_ttl <= LONGEST_TTL_SECONDS:
        findings.add((here, "lease_ttl"), f"must be from {SHORTEST_TTL_SECONDS} to {LONGEST_TTL_SECONDS}")
    if not 0 <= section.weight <= MOST_WEIGHT:
        findings.add((here, "weight"), f"must be from 0 to {MOST_WEIGHT}")
    if not section.enabled:
        return
    if config.database.uri.startswith(SQLITE):
        findings.add(
            (here, "enabled"), "needs Postgres: set database.uri to postgresql://user:password@host/database"
        )
    if config.channel.enabled and not config.channel.token:
        text = "must be one long random word, the same for every worker, when cluster.enabled is set"
        findings.add(("channel", "token"), text)
    if config.encryption.allow and config.encryption.pickle_key == GENERATE:
        text = "must be one long random text, the same for every worker, when cluster.enabled is set"
        findings.add(("encryption", "pickle_key"), text)
    if config.encryption.appservice:
        text = "does not go with cluster.enabled: keys would come to workers that do not lead"
        findings.add(("encryption", "appservice"), text)
    if config.whatsapp.keep_links_on_stop:
        text = "does not go with cluster.enabled: another worker takes the links over"
        findings.add(("whatsapp", "keep_links_on_stop"), text)
