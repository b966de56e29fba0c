"""What reads each kind of source, newest entries first."""
