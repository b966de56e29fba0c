"""Doubles and real servers that the tests stand on, imported as `tests.support`."""
