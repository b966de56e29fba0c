"""MCP servers of others, whose tools join ours under the same gate.

configuration ──► namespaces ──► servers ──► connection ──► naming, schema, tools ──► registry
                                                 │
                              a question of the server ──► asking ──► the person
"""
