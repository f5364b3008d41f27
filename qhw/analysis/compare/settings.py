"""What a comparison is asked, as it is written into its result and the ledger."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from backends.registry import is_vendor
from qhw.analysis.compare.parsed import Count, Parsed, WantedPrecision
from qhw.mitigation.words import PLAIN as PLAIN
from qhw.mitigation.words import canonical

Task = Literal["generate", "encode", "reconstruct"]
Mitigation = Annotated[str, AfterValidator(canonical)]
"""A pipeline's text, such as ``twirl(8)+readout+zne(1,3)``; ``none``, ``readout``, ``default``."""
Preparation = Literal["exact", "brickwork"]


class Asked(Parsed):
    """What every comparison is asked.

    Attributes:
        device: backend name, for example ``aer:ibm_boston``.
        shots: per circuit.
        precision: that the shots were planned for, such as ``0.01`` or ``0.05rad``; ``None`` where
            they were given.
        seed: of everything random.
        mitigation: pipeline applied beside the raw counts, never instead of them.
        with_raw: on a paid device also run the circuit itself with all shots where the pipeline
            runs others; a simulated device always does.
        calibrations: files of ``qhw calibrate``; the readout correction takes the first that covers
            a circuit's qubits. Empty: the snapshot's own error rates.
        probe: run two or three smaller circuits of known answer beside each circuit, and fit the
            device model's noise to them.
    """

    device: str
    shots: Annotated[int, Field(ge=1)]
    precision: WantedPrecision = None
    seed: Count = 0
    mitigation: Mitigation = "readout"
    with_raw: bool = False
    calibrations: tuple[str, ...] = ()
    probe: Annotated[bool, Field(exclude_if=operator.not_)] = False

    @property
    def own_raw(self) -> bool:
        """Whether the circuit itself is run beside a pipeline that does not."""
        return self.with_raw or not is_vendor(self.device)


class MeasureSettings(Asked):
    """A person's own circuit; equal settings are the same run on a paid device.

    Attributes:
        circuit: its name.
        fingerprint: hash of its instructions.
        angles_sha256: hash of the angles and the names of their columns and rows.
        rows: of angles.
        workload_sha256: of the stored workload, in the ledger; says nothing of what is asked.
        counts: file of counts that were made elsewhere; nothing runs then.
        bit_order: of the letters of its outcomes; ``None`` for what its kind says.
        qubits: device qubit of each classical bit, where it is known.
    """

    task: Literal["measure"] = "measure"
    circuit: str
    fingerprint: str
    angles_sha256: str
    rows: Annotated[int, Field(ge=1)]
    workload_sha256: str | None = None
    counts: str | None = None
    bit_order: Literal["qiskit", "reversed"] | None = None
    qubits: tuple[int, ...] = ()


class Settings(Asked):
    """What was asked of a model.

    Attributes:
        model: name of a shipped model or path of a checkpoint.
        molecules: rows compared, two or more (a baseline is the mean of the others).
        task: ``generate``: prior latents through the decoder; ``encode``: molecules through the
            encoder; ``reconstruct``: encoder, vMF draw and decoder, all on the device.
        preparation: how amplitudes are loaded.
        prior: of ``generate``; ``None``, as version 0.1.0 wrote it, is ``vmf-mixture``.
        kappa: of the vMF draw of ``reconstruct``; ``None`` takes the model's.
        draw: ``False`` uses the mean direction itself in place of a draw.
        input: SDF file of the molecules, ``None`` takes the shipped held-out sample.
        head: file of ``qhw calibrate --head``; its refitted read-outs stand beside the model's own.
        condition: ``PROPERTY=VALUE`` of each property of a conditional model; empty: the
            molecules' own, of ``generate`` those of held-out molecules at random. Of another
            model: of any property that the trained prior of ``generate`` takes.
    """

    model: str
    molecules: Annotated[int, Field(ge=2)]
    task: Task
    preparation: Preparation = "brickwork"
    prior: str | None = None
    kappa: Annotated[float, Field(ge=0, le=1e5)] | None = None
    draw: bool = True
    input: str | None = None
    head: str | None = None
    condition: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows asked for."""
        return self.molecules
