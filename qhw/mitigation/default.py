"""Which pipelines there are to choose from, and the one taken where nobody chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qiskit import QuantumCircuit
from qiskit.circuit import Instruction

from backends.base import CompiledTemplate
from backends.dynamic.circuit import decides, is_dynamic
from backends.exact import MAX_QUBITS
from backends.outcomes import DENSE_BITS
from backends.rewrite import Pair, two_qubit_gates
from qhw.mitigation.base import Calibrating, MitigationError, Technique
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.twirl import allowed_twirls
from qhw.mitigation.words import DEFAULT

_FEWEST_TO_TRAIN = 50_000
"""Total shots below which training circuits have too few to learn from."""

CANDIDATES = (
    "none",
    "readout",
    "zne(1,3)",
    "twirl(8)+readout",
    "readout+zne(1,3)",
    "readout+zne(1,3,exp)",
    "readout+zne(1,3,shrink)",
    "readout+zne(1,2,3,richardson)",
    "readout+lre(1,4)",
    "readout+cdr(16)",
    "readout+cdr(16,slope)",
    "twirl(8)+readout+zne(1,3,shrink)",
    DEFAULT,
)
"""Pipelines that a bench measures when it is asked for all."""


def resolve(
    text: str,
    compiled: CompiledTemplate,
    *,
    share: float = 0.0,
    total_shots: int | None = None,
) -> Pipeline:
    """The pipeline of a text, ``default`` included.

    Args:
        text: a pipeline, or ``default``.
        compiled: circuit it is for.
        share: of all shots for techniques that measure their own calibration and do not say how
            much; 0 leaves them as they are.
        total_shots: of all rows, which decide ``default``; ``None`` for enough.

    Raises:
        MitigationError: not a pipeline.
    """
    if text.strip() == DEFAULT:
        found = default_pipeline(compiled, total_shots)
    else:
        found = Pipeline.parse(text)
    return Pipeline(tuple(_paying(t, share) for t in found.techniques)) if share else found


def default_pipeline(compiled: CompiledTemplate, total_shots: int | None = None) -> Pipeline:
    """Readout correction and regression on training circuits, twirled where the gates allow it.

    A dynamic circuit has :func:`valid_for_dynamic`. Counts of more than 20 bits are corrected for
    readout only, twirled where the gates allow it. Extrapolation that shrinks takes the place of
    regression where the training circuits cannot be simulated exactly or too few shots are left for
    them.

    Args:
        compiled: circuit it is for.
        total_shots: of all rows, everything counted; ``None`` for enough.
    """
    if is_dynamic(compiled.circuit):
        return Pipeline.parse(valid_for_dynamic(compiled.circuit))
    gates = two_qubit_gates(compiled)
    if not gates:
        return Pipeline.parse("readout")
    if compiled.n_measured > DENSE_BITS:
        return _twirled(gates, 8, "readout")
    few = total_shots is not None and total_shots < _FEWEST_TO_TRAIN
    if few or compiled.circuit.num_qubits > MAX_QUBITS:
        variants, tail = 8, "readout+zne(1,3,shrink)"
    else:
        variants, tail = 4, "readout+cdr(16)"
    return _twirled(gates, variants, tail)


def valid_for_dynamic(circuit: QuantumCircuit) -> str:
    """The pipeline of a dynamic circuit for which nobody chose one.

    Readout correction where nothing is decided by what is measured; a wrong bit that decides
    changes what is done, which no correction of counts undoes.
    """
    return "none" if decides(circuit) else "readout"


def _twirled(gates: Sequence[tuple[Instruction, Pair]], variants: int, tail: str) -> Pipeline:
    try:
        for gate, _ in gates:
            allowed_twirls(gate)
    except MitigationError:
        return Pipeline.parse(tail)
    return Pipeline.parse(f"twirl({variants})+{tail}")


def _paying(technique: Technique, share: float) -> Technique:
    if isinstance(technique, Calibrating) and not technique.share:
        return replace(technique, share=share)  # type: ignore[type-var]  # techniques are dataclasses
    return technique
