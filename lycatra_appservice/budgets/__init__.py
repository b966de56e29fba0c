"""What people and rooms may use: turns a minute, tokens a day, and answers to what seems a bot.

Everything is a fact of the database, shared by all replicas. Who begins something for somebody
asks `Budgets.may_begin`, before each request to a model `may_spend`, and after it charges what
was used by the commit that keeps the answer:

    turn begins ──► may_begin ──► may_spend ──► the model ──► charge ──┐
                                      ▲                                │
                                      └────────── next request ◄───────┘
"""
