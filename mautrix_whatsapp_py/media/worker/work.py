"""One job: a file looked at for Matrix, or made into what WhatsApp shows."""

from __future__ import annotations

from pathlib import Path

from mautrix_whatsapp_py.media.jobs import ForMatrix, ForWhatsApp, Job
from mautrix_whatsapp_py.media.worker.to_matrix import make_for_matrix
from mautrix_whatsapp_py.media.worker.to_whatsapp import make_for_whatsapp
from mautrix_whatsapp_py.model.media_ready import ReadyFile


def load_libraries() -> None:
    """Load everything that a job may need; what PIL loads on first use included."""
    import pillow_heif
    import resvg_py  # noqa: F401
    import rlottie_python  # noqa: F401
    from PIL import Image

    pillow_heif.register_heif_opener()
    Image.init()


def do_job(job: Job) -> ReadyFile:
    """What came of it. JobFailed, and whatever libraries raise about broken files."""
    source, folder = Path(job.source), Path(job.folder)
    match job.task:
        case ForMatrix() as task:
            return make_for_matrix(source, folder, task)
        case ForWhatsApp() as task:
            return make_for_whatsapp(source, folder, task)
