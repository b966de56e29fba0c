"""Tools made from the configuration alone, which get an address and tell what its JSON says.

HttpJsonTool ──► making (Tool, Namespace)      a call: address ──► asking ──► reading ──► telling
"""
