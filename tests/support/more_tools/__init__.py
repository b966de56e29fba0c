"""Tools that only tests have, mounted as an operator mounts his own."""
