"""Which test holds each operation and each rule of the channel's contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from mautrix_whatsapp_py.channel.web.openapi import OPERATIONS

TESTS = Path(__file__).resolve().parents[2]
CONTRACT = ("send_message_of_the_contract", "receive_batch", "ack_inbound", "complete_batch")
SHARED = {"get_strangers": "get_strangers_approve_and_deny", "logout": "logout_is_for_links_of_the_channels_own"}
RULES = {
    "unit/channel/test_settings.py": {
        "accounts: ids": "test_a_wrong_key_is_named_once_and_where_it_is_written",
        "accounts: precedence": "test_an_accounts_key_goes_before_the_channels_and_that",
    },
    "unit/channel/test_keys.py": {
        "accounts: default": "test_key_accounts_default_and_order",
        "accounts: credentials": "test_key_auth_dir_and_its_variable",
        "security: loopback": "test_key_allow_non_loopback",
    },
    "flow/test_channel_alone.py": {
        "accounts: pairing by QR code": "test_a_stranger_is_let_in_and_answered",
        "accounts: pairing by code": "test_a_group_is_read_when_it_mentions_the_account",
        "accounts: without Matrix": "test_a_stranger_is_let_in_and_answered",
        "commands: serve --exec": "test_the_example_and_serve_answer",
    },
    "unit/channel/test_terminal.py": {
        "accounts: QR code in a terminal": "test_a_phone_can_scan_the_screen",
    },
    "unit/channel/test_targets.py": {
        "accounts: phone input": "test_",
        "targets": "test_",
    },
    "flow/test_channel_and_matrix.py": {
        "accounts: shared session": "test_both_faces_hear_a_message_once",
    },
    "unit/channel/test_upkeep.py": {
        "accounts: a logged-out account asks to link again": "test_an_account_is_linked_after",
    },
    "unit/channel/test_policy.py": {
        "inbound 1: what is ignored": "test_status_lists_and_newsletters_are_ignored",
        "inbound 1: own messages": "test_own_messages_in_groups_and_to_others_never_trigger",
        "inbound 3: groups": "test_groups_follow_the_contract_in_every_combination",
        "inbound 3: direct": "test_in_direct_chats_neither_mention_nor_reply_nor_activation",
    },
    "flow/test_channel_rules.py": {
        "inbound 2: strangers": "test_a_stranger_gets_one_code_and_the_owner_decides",
        "inbound 2: codes": "test_a_code_is_good_for_an_hour",
        "inbound 4: votes": "test_votes_in_polls_are_told",
        "inbound 5: context": "test_groups_are_heard_when_they_address_the_account",
        "status 429": "test_guessing_codes_is_locked_and_logged",
    },
    "flow/test_channel_commands.py": {
        "inbound 2: bot command": "test_the_bot_lets_strangers_in_for_the_owner",
        "commands: --json": "test_every_command_answers_in_json",
        "commands: doctor": "test_channel_doctor_says_what_is_wrong_and_how_it_is_mended",
        "commands: logs --follow": "test_channel_logs_shows_the_end_and_follows",
    },
    "flow/test_channel_contract.py": {
        "inbound 4: text and quotes": "test_an_item_has_every_field_of_the_contract",
        "inbound 6: once": "test_an_item_is_delivered_until_it_is_acknowledged_and_never",
        "http: item": "test_an_item_has_every_field_of_the_contract",
        "status 409": "test_without_a_link_it_is_409",
        "status 503": "test_nothing_is_queued_without_a_connection",
    },
    "flow/test_channel_openapi.py": {
        "http: documents": "test_every_path_answers_as_the_document_says",
    },
    "flow/test_channel_webhooks.py": {
        "webhooks: signature and id": "test_webhook_gets_one_signed_post_per_event_with_its_id",
        "webhooks: back-off and order": "test_webhook_is_tried_again_in_order_per_chat_until",
        "webhooks: dead letters": "test_webhook_max_age_puts_events_aside_and_retry_sends",
        "webhooks: slow receivers": "test_webhook_that_is_slow_delays_no_other",
    },
    "flow/test_channel_mcp.py": {
        "assistants": "test_an_assistant_uses_the_channel",
    },
    "unit/channel/test_watch.py": {
        "watchdog": "test_a_link_from_which_nothing_comes_is_connected_anew_and_counted",
        "reconnect": "test_a_lost_link_is_tried_anew_ever_more_rarely_until_it_is_degraded",
    },
    "flow/test_channel_bad_input.py": {
        "status 401": "test_only_the_token_opens",
        "status 413 and 415": "test_bodies_of_the_wrong_kind_or_size",
        "security: Host and Origin": "test_web_pages_and_foreign_names_are_refused",
    },
    "flow/test_channel_files.py": {
        "security: redirects": "test_redirects_are_looked_at_like_the_first_address",
        "security: file://": "test_local_files_come_from_the_allowed_folders_only",
    },
    "chaos/test_channel.py": {
        "durable: killed": "test_a_killed_channel_neither_loses_nor_doubles",
    },
}
"""By file, each rule and how the name of its test begins."""


@pytest.mark.parametrize("path", RULES)
def test_every_rule_has_its_test(path: str) -> None:
    source = (TESTS / path).read_text(encoding="utf-8")
    assert [rule for rule, name in RULES[path].items() if f"def {name}" not in source] == []


@pytest.mark.parametrize("name", [*CONTRACT, *(operation.name for operation in OPERATIONS)])
def test_every_operation_has_its_test(name: str) -> None:
    operations = (TESTS / "flow" / "test_channel_operations.py").read_text(encoding="utf-8")
    assert f"def test_operation_{SHARED.get(name, name)}(" in operations
