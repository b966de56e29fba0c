"""MCP servers of others, whose tools join ours under the same gate.

configuration ──► namespaces (at once) ──► servers ──► connection ──► naming, schema, tools ──► registry
                                              ▲                              │ a call
                                              └── asking: a question of the server, to the person ◄┘
"""
