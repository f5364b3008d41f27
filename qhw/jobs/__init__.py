"""Paid jobs: written down before they are sent, done at most once, never past the budget.

The ledger is one database (:mod:`qhw.jobs.ledger`). A submission is an intent with a unique key,
committed first (:mod:`qhw.jobs.intent`), then sent and followed by :mod:`qhw.jobs.engine` through
the states of :mod:`qhw.jobs.states`. Nothing needs a live process: every step starts from what the
ledger says, under a lease (:mod:`qhw.jobs.lease`), and can be taken up by another process.
"""
