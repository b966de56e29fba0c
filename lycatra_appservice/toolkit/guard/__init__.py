"""Everything that tools ask of other hosts goes through here, and is checked where it connects.

outbound (what a tool calls) → web_address (one reading of a URL) → connecting (one request)
→ door (asked for each socket) → allowance (what is configured) → addresses (what one is).
"""
