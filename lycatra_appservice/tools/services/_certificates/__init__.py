"""Certificates that hosts show: reading one, and what is wrong with it."""
