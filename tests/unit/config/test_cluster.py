"""Workers that share a database: what does not go together is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mautrix_whatsapp_py.app.sharing import worker_config, worker_name
from mautrix_whatsapp_py.config.channel import ChannelSection
from mautrix_whatsapp_py.config.cluster_rules import check_cluster
from mautrix_whatsapp_py.config.findings import Findings
from mautrix_whatsapp_py.config.tree import (
    ClusterSection,
    Config,
    DatabaseSection,
    EncryptionSection,
    WhatsappSection,
)

SHARED = Config(
    database=DatabaseSection(uri="postgresql://u@h/d"), cluster=ClusterSection(enabled=True, worker="w1")
)


def problems_of(config: Config) -> list[str]:
    findings = Findings()
    check_cluster(config, findings)
    return [f"{path}: {text}" for path, text in findings.problems.items()]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (replace(SHARED, database=DatabaseSection()), "needs Postgres"),
        (replace(SHARED, channel=ChannelSection(enabled=True)), "channel.token"),
        (replace(SHARED, encryption=EncryptionSection(allow=True)), "encryption.pickle_key"),
        (replace(SHARED, encryption=EncryptionSection(appservice=True)), "encryption.appservice"),
        (replace(SHARED, whatsapp=WhatsappSection(keep_links_on_stop=True)), "keep_links_on_stop"),
        (replace(SHARED, cluster=ClusterSection(worker="a b")), "cluster.worker"),
        (replace(SHARED, cluster=ClusterSection(worker="a" * 33)), "cluster.worker"),
        (replace(SHARED, cluster=ClusterSection(lease_ttl=2)), "cluster.lease_ttl"),
    ],
)
def test_what_does_not_go_is_refused_in_a_sentence(config: Config, words: str) -> None:
    (problem,) = problems_of(config)
    assert words in problem


def test_what_goes_is_let_through() -> None:
    assert problems_of(SHARED) == []
    encrypted = EncryptionSection(allow=True, pickle_key="the same everywhere")
    assert problems_of(replace(SHARED, encryption=encrypted)) == []
    channel = ChannelSection(enabled=True, token="the same for each of them")
    assert problems_of(replace(SHARED, channel=channel)) == []
    assert problems_of(replace(SHARED, cluster=ClusterSection(), channel=ChannelSection(enabled=True))) == []


def test_each_worker_has_folders_of_its_own() -> None:
    assert worker_config(SHARED).data_folder.parts[-2:] == ("workers", "w1")
    chosen = replace(SHARED, whatsapp=WhatsappSection(session_folder="/s"))
    assert worker_config(chosen).whatsapp.session_folder == "/s/w1"
    assert worker_config(Config()) == Config()
    assert worker_name(replace(SHARED, cluster=ClusterSection()))
