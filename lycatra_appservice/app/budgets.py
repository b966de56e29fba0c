"""Wiring of the budgets; each holder has its own, because everything stands in the database."""

from lycatra_appservice.app.parts import Parts, utc_now
from lycatra_appservice.budgets.budgets import Budgets
from lycatra_appservice.budgets.limits import Limits
from lycatra_appservice.budgets.store import BudgetStore


def build_budgets(parts: Parts) -> Budgets:
    """Those of the configuration."""
    settings = parts.settings
    return Budgets(BudgetStore(parts.database), Limits(settings.budgets), settings.zone, utc_now)
