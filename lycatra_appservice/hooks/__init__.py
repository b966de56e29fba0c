"""What other services tell us by HTTP.

POST /hooks/<name> ──► read, bounded ──► the hook's own `accept` ──► one commit ──► 202
                                                                        │
                              the turn that has its namespace `take` it ◄┘
"""
