"""The examination of an installation: questions in order, each answered by a finding.

configuration ──► database ──► homeserver's address ──► introduction (tokens, namespace, ping) ──►
accounts ──► model; what cannot be asked any more is skipped, and says so.
"""
