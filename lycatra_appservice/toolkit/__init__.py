"""What tools are made of (`base`), how they are found, and the gate in front of them.

caller + words ──► Toolbox (permission → arguments → cache → call with deadline) ──► Tool.run
"""
