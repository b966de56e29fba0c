"""Changes that wait for people: the card, the votes on it, and what comes of them.

a call needs approval ──► the card goes out, the turn waits ──► votes are read in the control lane
      ──► approved, denied, expired or withdrawn ──► the card is edited, the turn goes on
      ──► the call is made once, and its result is a new message
"""
