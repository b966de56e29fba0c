"""The parts of `lycatra init` and `lycatra uninstall` that need no homeserver."""
