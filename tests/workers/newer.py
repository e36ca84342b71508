"""A version of the program that comes after this one: the same, with one migration more."""

from __future__ import annotations

import compileall
import re
import shutil
from pathlib import Path

from mautrix_whatsapp_py.store.current import HEAD
from tests.homeserver.runner import ROOT

NEWER = "9999"
_MIGRATION = f'''"""A column nobody uses yet."""

import sqlalchemy as sa
from alembic import op

revision = "{NEWER}"
down_revision = "{HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("logins", sa.Column("of_the_newer", sa.Text))


def downgrade() -> None:
    op.drop_column("logins", "of_the_newer")
'''


def make_newer(folder: Path) -> None:
    """Write it into a folder."""
    for name in ("mautrix_whatsapp_py", "alembic"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "example-config.yaml", folder)
    (folder / "alembic" / "versions" / f"{NEWER}_newer.py").write_text(_MIGRATION)
    current = folder / "mautrix_whatsapp_py" / "store" / "current.py"
    current.write_text(current.read_text().replace(f'HEAD = "{HEAD}"', f'HEAD = "{NEWER}"'))
    about = folder / "mautrix_whatsapp_py" / "__init__.py"
    about.write_text(re.sub(r'__version__ = "[^"]*"', '__version__ = "99.0.0"', about.read_text()))
    # As an installed program is; or its first start would take as long as that.
    compileall.compile_dir(folder, quiet=1)
