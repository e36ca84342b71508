"""Changes of groups and pictures, through host and library to the simulator."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from mautrix_whatsapp_py.errors import WhatsAppRefused
from mautrix_whatsapp_py.model.wa import WaGroupChanged, WaPictureChanged
from mautrix_whatsapp_py.model.wa_group import WaMemberChange, WaPictureState
from mautrix_whatsapp_py.whatsapp.directory import ClientDirectory
from mautrix_whatsapp_py.whatsapp.groups import ClientGroups
from tests.simulator import groups
from tests.simulator.api import simulator
from tests.whatsapp.harness import bench, to_wa_jid

pytestmark = pytest.mark.neonize


def jpeg(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (200, 200), colour).save(out, format="JPEG")
    return out.getvalue()


async def test_changes_of_a_group(tmp_path: Path) -> None:
    async with simulator(tmp_path / "wa") as wa, bench(wa, tmp_path / "sessions") as it:
        alice, bob = wa.add_account("15550001111", "Alice"), wa.add_account("15550002222", "Bob")
        carla = wa.add_account("15550003333", "Carla")
        client, _ = await it.pair(alice)
        directory, changes = ClientDirectory(client), ClientGroups(client)
        club = groups.make_group(wa.world, alice, "Club", [bob])
        jid = to_wa_jid(club.jid)

        await changes.set_name(jid, "Choir")
        await changes.set_topic(jid, "We sing", previous_id="")
        seen = await directory.fetch_group(jid)
        assert (seen.name, seen.topic) == ("Choir", "We sing")
        await changes.set_topic(jid, "We sing well", previous_id=seen.topic_id)
        await changes.set_announcement(jid, is_announcement=True)
        await changes.set_locked(jid, is_locked=True)
        (added,) = await changes.change_members(jid, [to_wa_jid(carla.lid)], WaMemberChange.ADD)
        assert added.error == 0
        await changes.change_members(jid, [to_wa_jid(carla.lid)], WaMemberChange.PROMOTE)
        await changes.change_members(jid, [to_wa_jid(bob.lid)], WaMemberChange.REMOVE)
        seen = await directory.fetch_group(jid)
        assert (seen.topic, seen.is_announcement, seen.is_locked) == ("We sing well", True, True)
        roles = {member.jid.user: member.is_admin for member in seen.members}
        assert roles == {alice.lid.user: True, carla.lid.user: True}

        picture_id = await changes.set_picture(jid, jpeg("red"))
        found = await changes.fetch_picture(jid)
        assert (found.state, found.picture_id, found.mimetype) == (WaPictureState.FOUND, picture_id, "image/jpeg")
        assert found.data == jpeg("red")
        assert (await changes.fetch_picture(jid, known_id=picture_id)).state is WaPictureState.UNCHANGED
        assert await changes.set_picture(jid, b"") == ""
        assert (await changes.fetch_picture(jid)).state is WaPictureState.NONE
        bob.is_picture_hidden = True
        await bob.phone.set_picture(jpeg("blue"))
        assert (await changes.fetch_picture(to_wa_jid(bob.pn))).state is WaPictureState.HIDDEN
        assert await changes.fetch_blocked() == ()
        await changes.set_blocked(to_wa_jid(bob.lid), is_blocked=True)
        assert await changes.fetch_blocked() == (to_wa_jid(bob.lid),)
        await changes.set_blocked(to_wa_jid(bob.lid), is_blocked=False)
        assert await changes.fetch_blocked() == ()

        others = groups.make_group(wa.world, bob, "Others", [alice])
        with pytest.raises(WhatsAppRefused) as refused:
            await changes.set_locked(to_wa_jid(others.jid), is_locked=True)
        assert refused.value.code == "forbidden"
        await it.sink.until(lambda: it.sink.of_kind(WaGroupChanged) and it.sink.of_kind(WaPictureChanged))
