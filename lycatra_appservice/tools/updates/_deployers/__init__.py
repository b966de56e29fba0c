"""What brings a version of a service, one file a kind: see `port.py` for what each has to do."""
