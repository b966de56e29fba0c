"""The tools: each folder is a namespace with a virtual user, each file in it one tool.

A file beginning with an underscore is a helper, here of all namespaces, in a folder of that one.
"""
