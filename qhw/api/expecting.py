"""Expectation values of a circuit on any device, beside the exact ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from qhw.analysis.expect import prepare, simulate
from qhw.analysis.expect_result import ExpectSettings
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.expectation_values import ExpectationValues
from qhw.api.measuring import CircuitLike, begun
from qhw.circuits.workload import Workload
from qhw.mitigation.observables import ObservableLike
from qhw.paid.expect import ExpectRun

Observables = ObservableLike | Sequence[ObservableLike]

DEFAULT_MITIGATION = "readout+zne(1,3)"

_LOG = logging.getLogger(__name__)


def expect(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    device: DeviceLike = "engine:ibm_boston",
    *,
    shots: int,
    mitigation: str = DEFAULT_MITIGATION,
    seed: int = 0,
    again: bool = False,
    tell: Callable[[str], None] = _LOG.info,
) -> ExpectationValues:
    """Expectation values of Pauli observables with error bars, for every row of angles.

    On a device that takes jobs, everything goes through the ledger within the device's budget, and
    the same call again (also in another process) takes up what was sent and pays nothing twice.

    Args:
        circuit: a Qiskit circuit with free parameters, a workload, or the path of an OpenQASM 2/3
            or QPY file. Observables act on the classical bits that it writes; of a circuit without
            measurements, on all its qubits.
        angles: rows of angles, radians, in any form :func:`qhw.circuits.angles.read_rows` takes;
            ``None`` where nothing is free, or for a workload, which has its own.
        observables: one or several: text such as ``"0.5*XXI - 1.2*IYY"``, whose leftmost letter is
            wire 0, the highest classical bit or last qubit; text with numbers such as ``"Z0 Z2"``,
            ``Z0`` being classical bit 0, the qubit 0 of a circuit without measurements; Qiskit's
            ``SparsePauliOp``; coefficients by string; or :class:`qhw.Observable`.
        device: where, see :func:`qhw.device`.
        shots: of each row, with everything counted: all bases, mitigation, calibration.
        mitigation: a pipeline such as ``"readout+zne(1,3)"``, or ``"none"``.
        seed: of compilation, random choices and simulated shots.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        tell: told what is being done.

    Returns:
        Values with standard errors, exact values, shot floor, the value of the maximally mixed
        state, and cost.

    Raises:
        ValueError: observables that do not fit the circuit.
        AnglesError: angles that do not fit the circuit.
        BackendError: the circuit does not fit the device.
        MitigationError: pipeline, shots, circuit and device do not go together.
        BudgetError: the device's budget or a cap would be passed; nothing was sent.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> found = expect(bell, None, ["ZZ", "0.5*XX - YY"], "engine:ibm_fez", shots=10_000)
        >>> found.exact.round(6)
        array([[1. , 1.5]])
    """
    place = as_device(device)
    settings, work = asked_values(circuit, angles, observables, place, shots, mitigation, seed)
    if place.backend is not None:
        call = f"qhw.{settings.task}(...)"
        found = simulate(settings, work, place.backend, command=call, notify=tell)
        return ExpectationValues(found)
    run = begun(ExpectRun, place, work, settings, again=again, tell=tell)
    waited = run.wait(tell)
    assert waited is not None  # waited for without a limit
    return ExpectationValues(waited)


def asked_values(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    place: Device,
    shots: int,
    mitigation: str,
    seed: int,
) -> tuple[ExpectSettings, Workload]:
    """What is asked for, checked as far as it can be without the device.

    Raises:
        ValueError: see :func:`expect`.
    """
    return prepare(
        circuit,
        angles,
        observables,
        device=place.name,
        mitigation=mitigation,
        shots=shots,
        seed=seed,
    )
