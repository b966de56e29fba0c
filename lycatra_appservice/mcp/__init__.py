"""The Model Context Protocol at `/mcp`: the same tools under the rights of a token's owner.

request ──► transport: which era, well formed? ──► the SDK's kernel ──► desk: handlers of ours
                     │                                                        │
            identity: token ──► Caller                              Toolbox(caller), the gate
"""
