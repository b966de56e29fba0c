"""A Matrix application service: an assistant, and one virtual user per tool namespace."""

__version__ = "0.1.0"
