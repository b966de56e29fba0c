"""Looks at watched sources: asks, remembers what was there, and tells what is new."""
