"""Agents side by side, each in a process of its own: ours, and those of three libraries.

Each has one tool, a conversation of ten earlier turns, and the same model server.
"""
