"""What Braket charges: a fee a task and a price a shot; for simulators, their seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backends.answer_values import whole
from backends.base import CostEstimate
from backends.prices import PriceEntry, PriceError, price_of
from backends.vendor import JobState, Usage

_SIMULATOR_LEAST_S = 3.0
_DEAREST_SHOT = 100.0
"""USD; the dearest shot that Amazon sells costs less than a dollar."""
_AMPLITUDE_S = 25e-9
_SHOT_S = 35e-6
"""What Amazon's own simulators took here, on two slow cores: of one gate on one amplitude, and of
one shot. Amazon publishes no figure and offers no limit, so estimates err on the high side."""


def simulation_seconds(gates: int, qubits: int, shots: int, *, density: bool) -> float:
    """Seconds a managed simulator is taken to charge for one circuit, at least 3.

    Args:
        gates: of the circuit.
        qubits: of the circuit.
        shots: asked for.
        density: whether density matrices are simulated (dm1), not state vectors (sv1).
    """
    amplitudes = 2.0 ** (2 * qubits if density else qubits)
    return max(_SIMULATOR_LEAST_S, gates * amplitudes * _AMPLITUDE_S + shots * _SHOT_S)


@dataclass(frozen=True)
class Rate:
    """Price of a device.

    Attributes:
        per_shot: dollars, as Amazon publishes it with the device where it does.
        price: the rest.
        rehearsal: whether Amazon is simulated on this machine.
    """

    per_shot: float
    price: PriceEntry
    rehearsal: bool = False

    @classmethod
    def of(cls, backend: str, live: float | None) -> Rate:
        """From the price table, the price of a shot replaced by Amazon's own.

        Args:
            backend: registry name.
            live: Amazon's price of a shot, ``None`` where it names none.

        Raises:
            PriceError: the table has no entry, or Amazon's price cannot be.
        """
        if live is not None and not 0 < live < _DEAREST_SHOT:
            raise PriceError(f"Amazon's price of a shot on {backend} cannot be {live:g} USD.")
        price = price_of(backend)
        return cls(price.usd_per_shot if live is None else live, price)

    @property
    def by_time(self) -> bool:
        """Whether seconds are charged, not shots."""
        return self.price.usd_per_second > 0

    def estimate(self, tasks: int, rows: int, shots: int, *, task_s: float = 0.0) -> CostEstimate:
        """Price of tasks that hold ``rows`` circuits of ``shots`` each, all together.

        Args:
            tasks: number of them.
            rows: circuits, all together.
            shots: of each circuit.
            task_s: seconds a task, where seconds are charged; see :func:`simulation_seconds`.
        """
        if self.by_time:
            seconds = tasks * max(task_s, _SIMULATOR_LEAST_S)
            return CostEstimate(
                seconds * self.price.usd_per_second,
                seconds,
                f"{tasks} task(s) of {seconds / tasks:.3g} s by gates, amplitudes and shots, "
                f"charged from 3 s on; {self.price.basis()}",
            )
        usd = tasks * self.price.usd_per_task + rows * shots * self.per_shot
        return CostEstimate(
            usd,
            None,
            f"{tasks} task(s) at {self.price.usd_per_task:g} USD, {rows} x {shots} shots at "
            f"{self.per_shot:g} USD; {self.price.basis()}",
        )

    def of_shots(self, task: Mapping[str, Any], state: JobState) -> Usage:
        """Cost of a finished task from Amazon's record of it (GetQuantumTask).

        A count that cannot be is not booked: the usage then says what it contradicts.
        """
        whose = "the simulated vendor's" if self.rehearsal else "Amazon's"
        done, told = state is JobState.DONE, task.get("numSuccessfulShots")
        try:
            asked = whole(task["shots"], "shots") if done or told is not None else 0
            shots = asked if told is None else whole(told, "numSuccessfulShots", most=asked)
        except (ValueError, KeyError) as error:
            words = f"{whose} count of successful shots"
            return Usage(None, None, f"{words} is not believed", f"{words}: {error}")
        if told is None and not done:
            shots = 0
        usd = shots * self.per_shot + (self.price.usd_per_task if done or shots else 0.0)
        source = f"{whose} count of successful shots" if told is not None else "shots of the task"
        basis = f"{source}: {shots}, at {self.per_shot:g} USD; {self.price.basis()}"
        return Usage(usd, None, basis)

    def of_seconds(self, seconds: float | None) -> Usage:
        """Cost of a simulation from the execution time its result names."""
        if seconds is None:
            return Usage(None, None, "the result names no execution time")
        charged = max(_SIMULATOR_LEAST_S, seconds)
        basis = f"execution time of the result, at least 3 s; {self.price.basis()}"
        return Usage(charged * self.price.usd_per_second, charged, basis)
