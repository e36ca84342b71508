"""The tables of mautrix-whatsapp, as far as an import reads them, and the client library's beside them."""

from __future__ import annotations

BRIDGEV2 = """
CREATE TABLE "user" (bridge_id TEXT NOT NULL, mxid TEXT NOT NULL, management_room TEXT, access_token TEXT,
    PRIMARY KEY (bridge_id, mxid));
CREATE TABLE user_login (bridge_id TEXT NOT NULL, user_mxid TEXT NOT NULL, id TEXT NOT NULL,
    remote_name TEXT NOT NULL, remote_profile JSONB, space_room TEXT, metadata JSONB NOT NULL,
    PRIMARY KEY (bridge_id, id));
CREATE TABLE ghost (bridge_id TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, avatar_id TEXT NOT NULL,
    avatar_hash TEXT NOT NULL, avatar_mxc TEXT NOT NULL, name_set BOOLEAN NOT NULL, avatar_set BOOLEAN NOT NULL,
    contact_info_set BOOLEAN NOT NULL, is_bot BOOLEAN NOT NULL, identifiers JSONB NOT NULL,
    metadata JSONB NOT NULL, PRIMARY KEY (bridge_id, id));
CREATE TABLE portal (bridge_id TEXT NOT NULL, id TEXT NOT NULL, receiver TEXT NOT NULL, mxid TEXT, parent_id TEXT,
    parent_receiver TEXT NOT NULL DEFAULT '', relay_login_id TEXT, other_user_id TEXT, name TEXT NOT NULL,
    topic TEXT NOT NULL, avatar_id TEXT NOT NULL, avatar_hash TEXT NOT NULL, avatar_mxc TEXT NOT NULL,
    name_set BOOLEAN NOT NULL, avatar_set BOOLEAN NOT NULL, topic_set BOOLEAN NOT NULL, in_space BOOLEAN NOT NULL,
    room_type TEXT NOT NULL, disappear_type TEXT, disappear_timer BIGINT, metadata JSONB NOT NULL,
    PRIMARY KEY (bridge_id, id, receiver));
CREATE TABLE user_portal (bridge_id TEXT NOT NULL, user_mxid TEXT NOT NULL, login_id TEXT NOT NULL,
    portal_id TEXT NOT NULL, portal_receiver TEXT NOT NULL, in_space BOOLEAN NOT NULL,
    preferred BOOLEAN NOT NULL, last_read BIGINT,
    PRIMARY KEY (bridge_id, user_mxid, login_id, portal_id, portal_receiver));
CREATE TABLE message (rowid BIGINT PRIMARY KEY, bridge_id TEXT NOT NULL, id TEXT NOT NULL, part_id TEXT NOT NULL,
    mxid TEXT NOT NULL, room_id TEXT NOT NULL, room_receiver TEXT NOT NULL, sender_id TEXT NOT NULL,
    sender_mxid TEXT NOT NULL, timestamp BIGINT NOT NULL, edit_count INTEGER NOT NULL, metadata JSONB NOT NULL);
CREATE TABLE reaction (bridge_id TEXT NOT NULL, message_id TEXT NOT NULL, message_part_id TEXT NOT NULL,
    sender_id TEXT NOT NULL, emoji_id TEXT NOT NULL, room_id TEXT NOT NULL, room_receiver TEXT NOT NULL,
    mxid TEXT NOT NULL, timestamp BIGINT NOT NULL, emoji TEXT NOT NULL, metadata JSONB NOT NULL,
    PRIMARY KEY (bridge_id, room_receiver, message_id, message_part_id, sender_id, emoji_id));
CREATE TABLE disappearing_message (bridge_id TEXT NOT NULL, mx_room TEXT NOT NULL, mxid TEXT NOT NULL,
    type TEXT NOT NULL, timer BIGINT NOT NULL, disappear_at BIGINT, PRIMARY KEY (bridge_id, mxid));
CREATE TABLE crypto_account (account_id TEXT PRIMARY KEY);
"""

LEGACY = """
CREATE TABLE "user" (mxid TEXT PRIMARY KEY, username TEXT UNIQUE, agent SMALLINT, device SMALLINT,
    management_room TEXT, space_room TEXT, phone_last_seen BIGINT, phone_last_pinged BIGINT, timezone TEXT);
CREATE TABLE puppet (username TEXT PRIMARY KEY, displayname TEXT, name_quality SMALLINT, avatar TEXT,
    avatar_url TEXT, custom_mxid TEXT, access_token TEXT, next_batch TEXT);
CREATE TABLE portal (jid TEXT, receiver TEXT, mxid TEXT UNIQUE, name TEXT NOT NULL, topic TEXT NOT NULL,
    avatar TEXT NOT NULL, avatar_url TEXT, encrypted BOOLEAN NOT NULL DEFAULT false,
    is_parent BOOLEAN NOT NULL DEFAULT false, parent_group TEXT, in_space BOOLEAN NOT NULL DEFAULT false,
    expiration_time BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (jid, receiver));
CREATE TABLE user_portal (user_mxid TEXT, portal_jid TEXT, portal_receiver TEXT, last_read_ts BIGINT NOT NULL
    DEFAULT 0, in_space BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY (user_mxid, portal_jid, portal_receiver));
CREATE TABLE message (chat_jid TEXT, chat_receiver TEXT, jid TEXT, mxid TEXT UNIQUE, sender TEXT,
    sender_mxid TEXT NOT NULL DEFAULT '', timestamp BIGINT, sent BOOLEAN, error TEXT, type TEXT,
    PRIMARY KEY (chat_jid, chat_receiver, jid));
CREATE TABLE reaction (chat_jid TEXT, chat_receiver TEXT, target_jid TEXT, sender TEXT, mxid TEXT NOT NULL,
    jid TEXT NOT NULL, PRIMARY KEY (chat_jid, chat_receiver, target_jid, sender));
CREATE TABLE disappearing_message (room_id TEXT, event_id TEXT, expire_in BIGINT NOT NULL, expire_at BIGINT,
    PRIMARY KEY (room_id, event_id));
"""

SESSIONS = """
CREATE TABLE whatsmeow_device (jid TEXT PRIMARY KEY, registration_id BIGINT NOT NULL, noise_key BYTEA NOT NULL,
    identity_key BYTEA NOT NULL, signed_pre_key BYTEA NOT NULL, signed_pre_key_id INTEGER NOT NULL,
    signed_pre_key_sig BYTEA NOT NULL, adv_key BYTEA NOT NULL, adv_details BYTEA NOT NULL,
    adv_account_sig BYTEA NOT NULL, adv_account_sig_key BYTEA NOT NULL, adv_device_sig BYTEA NOT NULL,
    platform TEXT NOT NULL DEFAULT '', business_name TEXT NOT NULL DEFAULT '', push_name TEXT NOT NULL DEFAULT '');
CREATE TABLE whatsmeow_identity_keys (our_jid TEXT, their_id TEXT, identity BYTEA NOT NULL,
    PRIMARY KEY (our_jid, their_id));
CREATE TABLE whatsmeow_app_state_version (jid TEXT, name TEXT, version BIGINT NOT NULL, hash BYTEA NOT NULL,
    PRIMARY KEY (jid, name));
CREATE TABLE whatsmeow_app_state_mutation_macs (jid TEXT, name TEXT, version BIGINT, index_mac BYTEA,
    value_mac BYTEA NOT NULL, PRIMARY KEY (jid, name, version, index_mac));
CREATE TABLE whatsmeow_contacts (our_jid TEXT, their_jid TEXT, first_name TEXT, full_name TEXT, push_name TEXT,
    business_name TEXT, PRIMARY KEY (our_jid, their_jid));
CREATE TABLE whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE NOT NULL);
CREATE TABLE whatsmeow_version (version INTEGER, compat INTEGER);
"""
"""An older version of them than the client library's own: with columns missing that it has since."""
