"""Shots of expectation values: how large their standard errors are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from backends.base import Backend, CompiledTemplate
from backends.checks import MAX_SIMULATED_SHOTS
from backends.vendor import VendorBackend
from qhw.analysis.compare.stage import Notify
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import (
    ExpectQuote,
    check_device,
    compile_circuit,
    plan,
    priced,
    wanted_observables,
)
from qhw.analysis.precision.asked import Precision
from qhw.analysis.precision.errors import value_errors
from qhw.analysis.precision.modelled import Modelled, fewest_of
from qhw.analysis.precision.plan import ShotPlan, plan_shots
from qhw.analysis.precision.shots import FEWEST_SHOTS
from qhw.circuits.workload import Workload
from qhw.mitigation.expectation import ExpectationProgram

_MOST_PAID = 10**9
"""Shots of a row on a device that takes jobs; it is cut into as many as that takes."""


@dataclass(frozen=True, eq=False)
class Values:
    """Expectation values of a circuit, compiled.

    Attributes:
        settings: what is asked; its shots are set aside.
        workload: what runs.
        backend: where.
        compiled: the circuit, its measurement bases free.
        modelled: the device's model.
    """

    settings: ExpectSettings
    workload: Workload
    backend: Backend | VendorBackend
    compiled: CompiledTemplate
    modelled: Modelled

    @classmethod
    def of(
        cls,
        settings: ExpectSettings,
        workload: Workload,
        backend: Backend | VendorBackend,
        wanted: Precision,
        notify: Notify,
    ) -> Values:
        """What is asked, compiled.

        Raises:
            ValueError: a precision that needs no measurement.
            MitigationError: as :func:`~qhw.analysis.expect.values.check_device`.
            BackendError: likewise, or the circuit does not fit the device.
        """
        reach = max(
            sum(abs(c) for string, c in one.terms if set(string) != {"I"})
            for one in wanted_observables(settings)
        )
        if 0 < reach <= wanted.value:
            raise ValueError(
                f"Argument `precision` must be below {reach:g}, which the value without any "
                f"measurement is off by at most, but is {wanted}"
            )
        settings = settings.model_copy(update={"shots": fewest_of(backend)})
        check_device(settings, workload, backend)
        notify(f"compiling for {backend.name}")
        compiled = compile_circuit(settings, backend, workload)
        return cls(settings, workload, backend, compiled, Modelled(backend, mixed=True))

    @property
    def note(self) -> str:
        """What the device's model had to leave out."""
        return self.modelled.note

    def error(self, shots: int) -> float:
        """Of the worst observable in any row, expected with shots of a row."""
        return float(value_errors(self._program(shots), self.modelled, self.settings.seed).max())

    def quotes(self, shots: int) -> tuple[ExpectQuote, ...]:
        """What they cost; none on a simulator."""
        if isinstance(self.backend, Backend):
            return ()
        return (priced(self._program(shots), self.backend),)

    def bounds(self) -> tuple[int, int]:
        """Fewest and most shots of a row."""
        if isinstance(self.backend, Backend):
            return FEWEST_SHOTS, MAX_SIMULATED_SHOTS
        return max(FEWEST_SHOTS, fewest_of(self.backend)), _MOST_PAID

    def _program(self, shots: int) -> ExpectationProgram:
        return plan(
            self.settings.model_copy(update={"shots": shots}),
            cast(Backend, self.backend),
            self.compiled,
            self.workload,
            in_jobs=not isinstance(self.backend, Backend),
        )


def planned_values(
    settings: ExpectSettings,
    workload: Workload,
    backend: Backend | VendorBackend,
    wanted: Precision,
    notify: Notify,
    budget: str | None = None,
) -> tuple[ExpectSettings, ShotPlan]:
    """Settings with shots for a standard error, and the plan behind them.

    Args:
        settings: what is asked; its shots are set aside.
        workload: what runs.
        backend: where it will run.
        wanted: standard error of the worst observable in any row.
        notify: told what is being done.
        budget: the most that it may cost, if there is such a limit.

    Raises:
        ValueError: a precision that needs no measurement.
        OutOfReachError: the device does not take so many shots.
        BudgetError: they cost more than the budget; nothing was sent.
        MitigationError: pipeline, circuit and device do not go together.
        BackendError: the circuit does not fit the device.
    """
    what = Values.of(settings, workload, backend, wanted, notify)
    plan = plan_shots(what, wanted, notify, budget)
    return settings.model_copy(update=plan.settings), plan
