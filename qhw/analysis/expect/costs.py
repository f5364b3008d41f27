"""What expectation values cost, as a result says it."""

from __future__ import annotations

from backends.base import Backend, CostEstimate
from qhw.analysis.expect.result import ExpectCost
from qhw.mitigation.expectation import ExpectationProgram


def simulator_cost(backend: Backend, program: ExpectationProgram) -> ExpectCost:
    """What a simulator takes for a program."""
    costs = [
        backend.estimate(b.compiled, circuits=len(b.angles), shots=b.shots) for b in program.batches
    ]
    basis = costs[0].basis if costs else "nothing was measured"
    return ExpectCost(usd=sum(cost.usd for cost in costs), qpu_seconds=None, basis=basis)


def paid_cost(cost: CostEstimate) -> ExpectCost:
    """What the ledger knows of a run's cost."""
    return ExpectCost(usd=cost.usd, qpu_seconds=cost.qpu_seconds, basis=cost.basis)
