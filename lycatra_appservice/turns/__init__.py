"""Durable turns: what a trigger asked for, done once, answered once, on any replica.

inbox (one commit) ──► lane ready ──► worker claims it, takes its head ──► handler, step by step
      ──► send rows written with state 'sending' ──► delivered in order ──► done, next head

States: queued → running → sending → done | failed | cancelled. Every write of a worker checks
that it still holds the lane (owner and fence); whoever lost it writes nothing more. So a question
that gets other words while it runs is begun anew by taking its lane away from its worker, in the
commit that also erases what the old run had journaled.
"""
