"""Tools that do not ship with us, found at the start; what is broken disables only itself.

folders, packages ──► sources ──► search ──► FoundTools (registry, problems)
                         └── trust, importing: no sys.path, no byte code, nobody else's files
"""
