"""What other services tell of releases: who signed it, what it says, and what becomes of it."""
