"""A real Synapse, people, a terminal chat and a stand-in model: what `lycatra demo` and tests use.

Nothing here is imported by the service itself.
"""
