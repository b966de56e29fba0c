"""What takes the pushes: ours and its baselines, each a process of its own, `PORT DSN`.

Every one answers `GET /bench/taken` with how much it has taken in, which must be what was pushed.
"""
