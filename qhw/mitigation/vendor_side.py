"""Expectation values with the vendor's own mitigation, in the same form and named as such.

IBM's Estimator answers with values: circuits, twirling, extrapolation and error bars are its own.
IonQ's debiasing changes the counts themselves, so :func:`~qhw.mitigation.expectation
.estimate_observables` takes it as it comes and names it in its result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from qiskit import QuantumCircuit

from backends.aer import AerBackend
from backends.checks import check_angles
from backends.ibm.estimator import (
    EstimatorSubmission,
    IBMEstimator,
    IBMMitigation,
    VendorValues,
    estimator_program,
    rehearse,
)
from backends.native.translate import WALL
from backends.vendor import JobHandle
from calibration.noise import NoiseOptions
from calibration.snapshot import DeviceSnapshot
from qhw.mitigation.base import MitigationError
from qhw.mitigation.bases import as_measured
from qhw.mitigation.expectation import Expectations, read_observables
from qhw.mitigation.observables import Observable, ObservableLike


@dataclass(frozen=True, eq=False)
class VendorExpectation:
    """What IBM is asked for, and how its answer is read.

    Attributes:
        submission: for :class:`~backends.ibm.estimator.IBMEstimator`.
        observables: wanted, identities included.
    """

    submission: EstimatorSubmission
    observables: tuple[Observable, ...]

    def result(self, found: VendorValues, total_shots: int) -> Expectations:
        """IBM's values with the identities that need no measuring."""
        constant = np.array([o.constant for o in self.observables])
        return Expectations(
            values=found.values + constant,
            standard_error=found.standard_error,
            pipeline="none",
            vendor=str(self.submission.mitigation),
            groups=(),
            total_shots=total_shots,
        )

    def read(self, device: IBMEstimator, handle: JobHandle) -> Expectations:
        """The values of a finished job.

        Raises:
            VendorUnavailable: not finished, or no proper answer.
        """
        shots = estimator_program(self.submission, None).total_shots
        return self.result(device.values(handle), shots)


def ask_ibm(
    device: IBMEstimator | AerBackend,
    circuit: QuantumCircuit,
    angles: ArrayLike,
    observables: ObservableLike | Sequence[ObservableLike],
    *,
    mitigation: IBMMitigation,
    shots: int,
    seed: int,
) -> VendorExpectation:
    """Compile what IBM's Estimator is to run; nothing is sent.

    Args:
        device: compiles.
        circuit: as for :func:`~qhw.mitigation.expectation.estimate_observables`.
        angles: ``(B, P)`` radians, columns ``circuit.parameters``.
        observables: one or K operators.
        mitigation: IBM's.
        shots: for each row on average, everything counted.
        seed: of compilation.

    Raises:
        ValueError: observables that do not fit.
        MitigationError: an observable that is a multiple of the identity.
        BackendError: the circuit does not fit the device, or too few shots.
    """
    walled = _walled(as_measured(circuit))
    wanted = read_observables(observables, walled.num_clbits)
    measured = tuple(
        tuple((s, c) for s, c in observable.terms if set(s) != {"I"}) for observable in wanted
    )
    if not all(measured):
        raise MitigationError(
            "Argument `observables` must have a term to measure in each, for IBM's Estimator, but "
            "one is a multiple of the identity"
        )
    compiled = device.compile(walled, seed=seed)
    x = check_angles(compiled, angles)
    submission = EstimatorSubmission(
        compiled, x, shots, observables=measured, mitigation=mitigation
    )
    estimator_program(submission, None)  # refuses too few shots
    return VendorExpectation(submission, wanted)


def _walled(measured: QuantumCircuit) -> QuantumCircuit:
    """With a barrier before the measurements: IBM turns the bases after compiling, so rotations
    that z cannot see must stay."""
    walled = measured.copy_empty_like()
    gates = [item for item in measured.data if item.operation.name != "measure"]
    for item in gates:
        walled.append(item)
    walled.barrier(label=WALL)
    for item in measured.get_instructions("measure"):
        walled.append(item)
    return walled


def rehearse_ibm(
    snapshot: DeviceSnapshot,
    circuit: QuantumCircuit,
    angles: ArrayLike,
    observables: ObservableLike | Sequence[ObservableLike],
    *,
    mitigation: IBMMitigation,
    shots: int,
    seed: int,
    noise: NoiseOptions | None = None,
) -> Expectations:
    """What IBM's Estimator would make of a device like its snapshot; nothing is sent.

    Its client code is the real one, the device is simulated.

    Args:
        snapshot: the device.
        circuit: as for :func:`ask_ibm`, like all others but ``noise``.
        angles: ``(B, P)`` radians.
        observables: one or K operators.
        mitigation: IBM's.
        shots: for each row on average, everything counted.
        seed: of compilation, twirling and shots.
        noise: strength of the device's noise; as reported by default.
    """
    asked = ask_ibm(
        AerBackend(snapshot, scheduled=False),
        circuit,
        angles,
        observables,
        mitigation=mitigation,
        shots=shots,
        seed=seed,
    )
    found, total = rehearse(asked.submission, noise=noise, seed=seed)
    return asked.result(found, total)
