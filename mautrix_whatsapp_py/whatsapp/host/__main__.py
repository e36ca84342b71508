"""`python -m mautrix_whatsapp_py.whatsapp.host`."""

from mautrix_whatsapp_py.whatsapp.host.main import main

if __name__ == "__main__":
    main()
