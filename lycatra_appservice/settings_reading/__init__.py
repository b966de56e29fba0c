"""The steps from a YAML file and the environment to plain values that know where they came from.

text ──► yaml_tree ──► environment (laid over) ──► secret_files ──► model ──► mistakes, in words
"""
