"""Which pipelines there are to choose from, and the one taken where nobody chooses."""

from __future__ import annotations

from dataclasses import replace

from backends.base import CompiledTemplate
from backends.rewrite import two_qubit_gates
from qhw.mitigation.base import Calibrating, MitigationError, Technique
from qhw.mitigation.pipeline import Pipeline
from qhw.mitigation.twirl import allowed_twirls

DEFAULT = "default"
"""Name of the pipeline that shots and device decide."""

CANDIDATES = (
    "none",
    "readout",
    "zne(1,3)",
    "twirl(8)+readout",
    "readout+zne(1,3)",
    "readout+zne(1,3,exp)",
    "readout+zne(1,3,shrink)",
    "readout+zne(1,2,3,richardson)",
    "twirl(8)+readout+zne(1,3)",
    "twirl(8)+readout+zne(1,3,exp)",
    "twirl(8)+readout+zne(1,3,shrink)",
    DEFAULT,
)
"""Pipelines that a bench measures when it is asked for all."""


def resolve(text: str, compiled: CompiledTemplate, *, share: float = 0.0) -> Pipeline:
    """The pipeline of a text, ``default`` included.

    Args:
        text: a pipeline, or ``default``.
        compiled: circuit it is for.
        share: of all shots for techniques that measure their own calibration and do not say how
            much; 0 leaves them as they are.

    Raises:
        MitigationError: not a pipeline.
    """
    found = default_pipeline(compiled) if text.strip() == DEFAULT else Pipeline.parse(text)
    return Pipeline(tuple(_paying(t, share) for t in found.techniques)) if share else found


def canonical(text: str) -> str:
    """A pipeline's text as this version writes it; ``default`` stays.

    Raises:
        MitigationError: as :meth:`Pipeline.parse`.
    """
    return DEFAULT if text.strip() == DEFAULT else str(Pipeline.parse(text))


def default_pipeline(compiled: CompiledTemplate) -> Pipeline:
    """Twirling where the native gate allows it, readout, and extrapolation that shrinks.

    Args:
        compiled: circuit it is for.
    """
    gates = two_qubit_gates(compiled)
    if not gates:
        return Pipeline.parse("readout")
    tail = "readout+zne(1,3,shrink)"
    try:
        for gate, _ in gates:
            allowed_twirls(gate)
    except MitigationError:
        return Pipeline.parse(tail)
    return Pipeline.parse(f"twirl(8)+{tail}")


def _paying(technique: Technique, share: float) -> Technique:
    if isinstance(technique, Calibrating) and not technique.share:
        return replace(technique, share=share)  # type: ignore[type-var]  # techniques are dataclasses
    return technique
