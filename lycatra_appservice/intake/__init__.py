"""The homeserver's way in: token → events told apart → one commit → 200.

No model, tool or Matrix call happens here, and nothing is answered 200 that is not stored.
"""
