"""Restarting a service: one file a kind, all of the same shape (`port`), chosen by `choosing`."""
