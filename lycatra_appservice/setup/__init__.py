"""Putting Lycatra beside a Synapse, and taking it away again.

answers (flags, or an interview) ──► files ──► instructions ──► first ping ──► greeting
"""
