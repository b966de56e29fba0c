"""Tools that only tests have; `Lycatra(more_tools=True)` adds this folder to ours."""
