"""End-to-end encryption: one replica at a time reads and writes encrypted rooms for all."""
