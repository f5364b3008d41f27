"""Counts of circuits that were run elsewhere, compared as if they had been run here.

Nothing runs: the counts stand where a device would. What a run here would know of itself, and
counts from elsewhere do not say, is told in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit

from backends.base import BackendError, CompiledTemplate, CostEstimate, ShotResult
from backends.exact import ExactBackend
from backends.figures import size_of
from backends.outcomes import DENSE_BITS, Outcomes
from backends.plain import plain_measured
from calibration.snapshot import DeviceSnapshot
from qhw.analysis.compare.comparison import Comparison
from qhw.analysis.compare.facts import ForeignFacts
from qhw.analysis.compare.measure import exact_distributions, measure
from qhw.analysis.compare.settings import PLAIN, MeasureSettings
from qhw.analysis.compare.stage import Notify
from qhw.analysis.scores.baselines import shot_floor_total_variation
from qhw.analysis.scores.metrics import total_variation
from qhw.circuits.counts_files import CountsFile, CountsFileError, bit_of_qubit
from qhw.circuits.workload import Workload
from qhw.distributions import relative_frequencies

FloatArray = NDArray[np.float64]

UNKNOWN_DEVICE = "unknown"
"""Name of the device where none is named."""
_FLOORS = 4.0
"""Distances that differ by so many shot floors are told apart."""


@dataclass
class RecordedBackend:
    """Counts in place of a device; implements :class:`backends.base.Backend`.

    Attributes:
        name: of the device, as far as it is known.
        counts: ``(B, D)`` of the rows.
        outcomes: of the columns; ``None`` for all in order.
        shots: of a row, the fewest.
        snapshot: the device's calibration, where the qubits are known.
        qubits: device qubit of each classical bit; empty where they are not known.
    """

    name: str
    counts: NDArray[np.int64]
    outcomes: Outcomes | None
    shots: int
    snapshot: DeviceSnapshot | None = None
    qubits: tuple[int, ...] = ()
    _ideal: ExactBackend = field(default_factory=ExactBackend)

    def compile(self, circuit: QuantumCircuit, *, seed: int = 0) -> CompiledTemplate:
        """The circuit as it was written: how it was compiled elsewhere is not known.

        Raises:
            BackendError: not "gates, then one measurement of every bit".
        """
        if self.snapshot is None:
            return self._ideal.compile(circuit, seed=seed)
        plain = plain_measured(circuit)
        bits = bit_of_qubit(plain)
        if len(bits) != plain.num_qubits:
            raise BackendError(
                "Argument `qubits` must be left out of circuits with qubits that are not measured"
            )
        return CompiledTemplate(
            circuit=plain,
            parameter_names=tuple(p.name for p in plain.parameters),
            n_measured=plain.num_clbits,
            physical_qubits=tuple(self.qubits[bit] for bit in bits),
            **size_of(plain),
            duration_s=0.0,
            seed=seed,
            snapshot=self.snapshot,
        )

    def run(
        self, compiled: CompiledTemplate, angles: FloatArray, *, shots: int, seed: int
    ) -> ShotResult:
        """The counts."""
        del compiled, angles, seed
        done = datetime.now(UTC)
        return ShotResult(self.counts, shots, self.name, None, done, outcomes=self.outcomes)

    def estimate(self, compiled: CompiledTemplate, *, circuits: int, shots: int) -> CostEstimate:
        """Nothing runs here."""
        del compiled, circuits, shots
        return CostEstimate(0.0, None, "run elsewhere, what it cost is not known")


def recorded(
    workload: Workload,
    given: CountsFile,
    device: tuple[str, DeviceSnapshot | None] | None = None,
    qubits: Sequence[int] = (),
) -> RecordedBackend:
    """A file's counts as a device that gives them.

    Args:
        workload: that was run.
        given: counts of its rows.
        device: name and calibration of the device that ran it; ``None`` where it is not known.
        qubits: of it, one for each classical bit.

    Raises:
        CountsFileError: not one row of counts for each row of the workload.
        ValueError: qubits without a device, not one for each bit, twice, or not on the device.
    """
    if len(given.rows) != len(workload):
        raise CountsFileError(
            f"Counts {given.path}: must have a row for each of the {len(workload)} circuits, but "
            f"has {len(given.rows)}"
        )
    snapshot = None if device is None or not qubits else device[1]
    if qubits:
        _check_qubits(qubits, workload.n_bits, snapshot)
    if workload.n_bits <= DENSE_BITS:
        outcomes = None
        counts = np.zeros((len(workload), 2**workload.n_bits), dtype=np.int64)
        for place, row in enumerate(given.rows):
            counts[place, list(row)] = list(row.values())
    else:
        seen = sorted({outcome for row in given.rows for outcome in row})
        outcomes = Outcomes.of_integers(seen, workload.n_bits)
        counts = np.array([[row.get(k, 0) for k in seen] for row in given.rows], dtype=np.int64)
    name = given.device or UNKNOWN_DEVICE if device is None else device[0]
    return RecordedBackend(name, counts, outcomes, min(given.shots), snapshot, tuple(qubits))


def compare_counts(
    settings: MeasureSettings,
    workload: Workload,
    backend: RecordedBackend,
    given: CountsFile,
    *,
    chosen: bool = False,
    command: str = "",
    notify: Notify = lambda _: None,
) -> Comparison:
    """Compare counts from elsewhere with exact, and correct readout where that is known.

    Args:
        settings: of the workload; mitigation ``none`` or ``readout``.
        workload: that was run.
        backend: of :func:`recorded`.
        given: the counts.
        chosen: a person chose the order of bits.
        command: written into the result.
        notify: told what is being done.

    Raises:
        ValueError: a pipeline that needs further circuits.
        CountsFileError: the counts fit the other order of bits, and nobody chose this one.
    """
    if settings.mitigation not in PLAIN:
        raise ValueError(
            f"Argument `mitigation` must be none or readout for counts from elsewhere, which "
            f"nothing further can be run for, but is {settings.mitigation}"
        )
    order = _checked_order(workload, given, backend, chosen=chosen)
    found = measure(settings, workload, backend, command=command, notify=notify)
    facts = ForeignFacts(
        file=given.path.name,
        sha256=given.sha256,
        kind=given.kind,
        device=given.device,
        order=given.order,
        order_check=order,
        shots=(min(given.shots), max(given.shots)),
        unknown=_unknown(settings, given, backend),
    )
    result = found.result.model_copy(update={"foreign": facts})
    return Comparison(result, found.outcome, found.snapshot)


def _check_qubits(qubits: Sequence[int], n_bits: int, snapshot: DeviceSnapshot | None) -> None:
    if snapshot is None:
        raise ValueError("Argument `qubits` must be left out without a device, whose they are")
    known = {qubit.label for qubit in snapshot.qubits}
    strange = [q for q in qubits if q not in known]
    if len(qubits) != n_bits or len(set(qubits)) != n_bits or strange:
        raise ValueError(
            f"Argument `qubits` must be {n_bits} different qubits of {snapshot.name}, one for each "
            f"classical bit, but is {', '.join(map(str, qubits))}"
        )


def _checked_order(
    workload: Workload, given: CountsFile, backend: RecordedBackend, *, chosen: bool
) -> str:
    """What can be said of the order of bits, in words.

    Raises:
        CountsFileError: the other order fits, and nobody chose this one.
    """
    if backend.outcomes is not None or workload.circuit.num_qubits > DENSE_BITS:
        return "not checked: the circuit is too wide"
    exact = exact_distributions(workload).distributions
    turned = _turned(np.arange(exact.shape[1]), workload.n_bits)
    measured = relative_frequencies(backend.counts)
    floor = float(shot_floor_total_variation(exact, backend.shots).mean())
    between = float(total_variation(exact, exact[:, turned]).mean())
    here, there = (
        float(total_variation(one, exact).mean()) for one in (measured, measured[:, turned])
    )
    if between <= _FLOORS * floor:
        return "cannot be checked: exact is the same with bits reversed, to these shots"
    if there + _FLOORS * floor < here:
        other = "reversed" if given.order == "qiskit" else "qiskit"
        if given.order == "qubits":
            return f"DOUBTFUL: the bits reversed fit better ({there:.3g}, not {here:.3g})"
        if not chosen:
            raise CountsFileError(
                f"Counts {given.path}: fit the bit order {other} (distance to exact {there:.3g}), "
                f"not {given.order} ({here:.3g}); say `--bit-order {other}`, or "
                f"`--bit-order {given.order}` to keep it"
            )
        return f"DOUBTFUL: chosen, but the order {other} fits better ({there:.3g}, not {here:.3g})"
    if here + _FLOORS * floor < there:
        return f"checked: the other order fits worse ({there:.3g}, not {here:.3g})"
    return "not told apart: both orders fit about as well"


def _turned(index: NDArray[np.int64], n_bits: int) -> NDArray[np.int64]:
    """Outcomes with their bits in the other order."""
    out = np.zeros_like(index)
    for bit in range(n_bits):
        out |= ((index >> bit) & 1) << (n_bits - 1 - bit)
    return out


def _unknown(
    settings: MeasureSettings, given: CountsFile, backend: RecordedBackend
) -> tuple[str, ...]:
    out = [
        "how the circuit was compiled, and its gates and duration on the device",
        "when it ran, and how the device was calibrated then",
        "whether the vendor mitigated the counts or left shots out",
    ]
    if backend.snapshot is None:
        out.append(
            "which qubits ran: readout is not corrected"
            if settings.mitigation == "readout"
            else "which qubits ran"
        )
    else:
        out.append("whether the calibration named is that of the day")
    if not given.stated:
        out.append("in which order the bits stand: taken as Qiskit writes them")
    if len(set(given.shots)) > 1:
        out.append(
            f"why rows have {min(given.shots)} to {max(given.shots)} shots: intervals and the shot "
            "floor are those of the fewest"
        )
    return tuple(out)
