"""Tests of the Matrix side that needs no database."""
