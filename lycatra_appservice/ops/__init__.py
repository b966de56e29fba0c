"""What the operator sees: log lines, figures, and whether the service lives and is ready."""
