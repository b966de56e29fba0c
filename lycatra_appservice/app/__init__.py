"""The composition root: builds every part and gives each what it needs; nothing imports it.

Start: database → migrations → listeners → signals and worker → ready → ping → leader's duties.
Stop: not ready → nothing more claimed → running turns end or are handed over → listeners close.
"""

from lycatra_appservice.app.run import run

__all__ = ["run"]
