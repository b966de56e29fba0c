"""Tests of what goes out to other hosts."""
