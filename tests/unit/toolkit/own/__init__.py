"""Tests of tools that do not ship with us."""
