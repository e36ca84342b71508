from __future__ import annotations

import pytest

from mautrix_whatsapp_py.whatsapp.host.failures import CallFailed
from mautrix_whatsapp_py.whatsapp.host.upload import decode_upload
from tests.unit.whatsapp.host.contents import PROTOBUF


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        ("upload failed with status code 413", True),
        ("upload failed with status code 400", True),
        ("upload failed with status code 401", False),
        ("upload failed with status code 429", False),
        ("upload failed with status code 503", False),
        ("failed to execute request: context deadline exceeded", False),
    ],
)
def test_what_whatsapp_refuses_for_good_is_told_from_what_may_heal(error: str, is_final: bool) -> None:
    body = PROTOBUF.messages.UploadReturnFunction(Error=error).SerializeToString()
    with pytest.raises(CallFailed) as failed:
        decode_upload(body, PROTOBUF)
    assert failed.value.is_final is is_final
    assert failed.value.is_certain
