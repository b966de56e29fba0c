"""How containers and workloads are seen to be doing, for the status and before a restart."""
