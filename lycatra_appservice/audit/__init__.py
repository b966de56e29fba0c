"""What was done through the gate, by whom and for whom: rows that are only ever added.

The gate notes every call with the `AuditTrail`, which writes them; `AuditStore` reads them for
people, blanks arguments that were taken back, and removes what is older than the retention.
"""
