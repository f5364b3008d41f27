"""Which source of noise costs how much: an error budget of one compiled circuit.

Each source is judged twice by the total variation distance (TVD) to the exact distribution: with
only this source on, and with all but this one. The two differ where sources hide behind each other
(a depolarised state has little left for readout to spoil), so neither column has to sum to the
whole. Distributions are those of infinitely many shots.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from backends.base import CompiledTemplate
from backends.checks import check_angles
from backends.engine.program import NoisyProgram
from calibration.documents import read_document
from calibration.noise import NoiseOptions
from calibration.parts import Frozen, Utc
from qhw.analysis.compare.result import Estimate
from qhw.analysis.scores.bootstrap import Bounds, mean_interval
from qhw.analysis.scores.metrics import total_variation

FloatArray = NDArray[np.float64]
Source = Literal["depolarising", "gate_relaxation", "idle", "readout", "coherent_zz", "detuning"]
SOURCES: tuple[Source, ...] = (
    "depolarising",
    "gate_relaxation",
    "idle",
    "readout",
    "coherent_zz",
    "detuning",
)
"""Each is the factor of that name in :class:`calibration.noise.NoiseOptions`."""
SCHEMA_VERSION = 1


class SourceCost(Frozen):
    """What one source costs, as TVD to exact, mean over latents with bootstrap interval.

    Attributes:
        source: which.
        only: with this source alone.
        all_but: with every source but this one.
        saved: what switching it off would save: all sources less ``all_but``, latent by latent.
    """

    source: Source
    only: Estimate
    all_but: Estimate
    saved: Estimate


class ErrorBudget(Frozen):
    """Error budget of a circuit on a device.

    Attributes:
        device: name of the device.
        taken: time of its calibration (UTC).
        qubits: device qubits used.
        two_qubit_gates: in the circuit.
        duration_s: of the circuit, seconds; ``None`` where gate times are unknown.
        latents: rows the means run over.
        total: TVD to exact with all sources.
        sources: one row a source that is on, largest saving first.
        schema_version: version of this format.
    """

    device: str
    taken: Utc
    qubits: tuple[int, ...]
    two_qubit_gates: int
    duration_s: float | None
    latents: int
    total: Estimate
    sources: tuple[SourceCost, ...]
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> str:
        """Indented JSON text."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, where: str = "error budget") -> ErrorBudget:
        """Read what :meth:`to_json` wrote, in this or an earlier version.

        Raises:
            ValueError: not such a document, or of a newer version; the line names ``where``.
        """
        return read_document(cls, text, SCHEMA_VERSION, where)


def error_budget(
    compiled: CompiledTemplate,
    angles: FloatArray,
    rng: np.random.Generator,
    *,
    options: NoiseOptions | None = None,
    device: str = "cpu",
    detuning_level: int = 2,
) -> ErrorBudget:
    """Switch every source of noise on alone, and off alone.

    Args:
        compiled: circuit compiled for a device.
        angles: ``(K, P)`` one row a latent, K >= 2, radians, columns ``compiled.parameter_names``.
        rng: for the bootstrap.
        options: strength of each source in the whole; as reported by default. A source whose
            factor (or angle, or T2*) is 0 has no row.
        device: torch device of the engine.
        detuning_level: see :class:`backends.engine.program.NoisyProgram`.

    Raises:
        ValueError: fewer than two latents, or a template of an ideal device.
        BackendError: angles of the wrong shape or not finite.
    """
    full = options or NoiseOptions()
    x = check_angles(compiled, angles)
    if compiled.snapshot is None:
        raise ValueError("Argument `compiled` must be compiled for a device, but is ideal.")
    if len(x) < 2:
        raise ValueError(f"Argument `angles` must have 2 rows or more, but has {len(x)}.")

    def distribution(chosen: NoiseOptions) -> FloatArray:
        program = NoisyProgram(compiled, chosen, device=device, detuning_level=detuning_level)
        return program.probabilities(x)

    sources = _active(full)
    none: dict[str, Any] = dict.fromkeys(SOURCES, 0.0)
    off = replace(full, **none)
    exact = distribution(off)
    total = total_variation(exact, distribution(full))
    rows = []
    for source in sources:
        alone = replace(off, **_one(source, getattr(full, source)))
        only = total_variation(exact, distribution(alone))
        rest = total_variation(exact, distribution(replace(full, **_one(source, 0.0))))
        rows.append(
            SourceCost(
                source=source,
                only=_estimate(only, rng),
                all_but=_estimate(rest, rng),
                saved=_estimate(total - rest, rng, within=(-1.0, 1.0)),
            )
        )
    return ErrorBudget(
        device=compiled.snapshot.name,
        taken=compiled.snapshot.taken,
        qubits=compiled.physical_qubits,
        two_qubit_gates=compiled.two_qubit_gates,
        duration_s=compiled.duration_s or None,  # gate times unknown
        latents=len(x),
        total=_estimate(total, rng),
        sources=tuple(sorted(rows, key=lambda row: -row.saved.value)),
    )


def _active(options: NoiseOptions) -> tuple[Source, ...]:
    """Sources that are on."""
    off = {name for name in SOURCES if not getattr(options, name)}
    if not options.gates:
        off |= {"depolarising", "gate_relaxation"}
    if not options.zz_rad:
        off.add("coherent_zz")
    if options.t2_star_s is None:
        off.add("detuning")
    return tuple(name for name in SOURCES if name not in off)


def _estimate(
    values: FloatArray, rng: np.random.Generator, *, within: Bounds = (0.0, 1.0)
) -> Estimate:
    found = mean_interval(values, rng, within=within)
    return Estimate(value=found.value, low=found.low, high=found.high, level=found.level)


def _one(source: Source, factor: float) -> dict[str, Any]:
    return {source: factor}
