"""The conversion worker: `python -m mautrix_whatsapp_py.media.worker`."""

from mautrix_whatsapp_py.media.worker.serve import main

if __name__ == "__main__":
    main()
