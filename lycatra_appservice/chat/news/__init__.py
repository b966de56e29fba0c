"""What rooms are told unasked: who wants it, finding it, telling it, proposing what to do."""
