"""Expectation values of a circuit on any device, beside the exact ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, overload

from backends.registry import get_vendor
from qhw.analysis.expect.gradient import ParameterLike, shifted_rows
from qhw.analysis.expect.result import ExpectSettings
from qhw.analysis.expect.values import prepare, simulate
from qhw.analysis.precision.asked import UNPLANNED, one_of, parse_precision
from qhw.analysis.precision.plan import ShotPlan
from qhw.analysis.precision.values import planned_values
from qhw.api.devices import Device, DeviceLike
from qhw.api.devices import device as as_device
from qhw.api.expectation_values import ExpectationValues
from qhw.api.gradients import ExpectationGradient
from qhw.api.measuring import CircuitLike, begun
from qhw.circuits.workload import Workload
from qhw.defaults import DEFAULT_DEVICE
from qhw.mitigation.observables import ObservableLike
from qhw.paid.expect import ExpectRun
from qhw.shot_counts import number_of_shots

Observables = ObservableLike | Sequence[ObservableLike]

DEFAULT_MITIGATION = "readout+zne(1,3)"

_LOG = logging.getLogger(__name__)


@overload
def expect(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    device: DeviceLike = ...,
    *,
    bind: Mapping[str, object] | None = ...,
    shots: int | str | None = ...,
    precision: float | None = ...,
    mitigation: str = ...,
    seed: int = ...,
    probe: bool = ...,
    again: bool = ...,
    tell: Callable[[str], None] = ...,
    gradient: None = ...,
    wrt: None = ...,
) -> ExpectationValues: ...


@overload
def expect(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    device: DeviceLike = ...,
    *,
    bind: Mapping[str, object] | None = ...,
    shots: int | str | None = ...,
    precision: float | None = ...,
    mitigation: str = ...,
    seed: int = ...,
    probe: bool = ...,
    again: bool = ...,
    tell: Callable[[str], None] = ...,
    gradient: Literal["shift"],
    wrt: ParameterLike | Sequence[ParameterLike] | None = ...,
) -> ExpectationGradient: ...


def expect(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    device: DeviceLike = DEFAULT_DEVICE,
    *,
    bind: Mapping[str, object] | None = None,
    shots: int | str | None = None,
    precision: float | None = None,
    mitigation: str = DEFAULT_MITIGATION,
    seed: int = 0,
    probe: bool = False,
    again: bool = False,
    tell: Callable[[str], None] = _LOG.info,
    gradient: Literal["shift"] | None = None,
    wrt: ParameterLike | Sequence[ParameterLike] | None = None,
) -> ExpectationValues | ExpectationGradient:
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
        bind: values of parameters and of OpenQASM 3's inputs by name, the same in every row;
            angles are of the others.
        shots: of each row, with everything counted: all bases, mitigation, calibration. The
            shifted rows of a gradient have as many each.
        precision: in place of shots, the standard error of the worst observable in any row, in its
            units; as many are planned as the whole pipeline takes on the device's model.
        mitigation: a pipeline such as ``"readout+zne(1,3)"``, or ``"none"``.
        seed: of compilation, random choices and simulated shots.
        probe: run two or three smaller circuits of known answer beside, and fit the device model's
            noise to them; counted and priced with the rest.
        again: on a device that takes jobs: send everything anew, even if it was paid already.
        tell: told what is being done.
        gradient: ``"shift"`` for derivatives by parameter-shift rules as well: two terms for an
            angle of one rotation, four for one of a controlled rotation, twice the number of
            frequencies for repeated parameters and for expressions with coefficients. All rows run
            as one batch; see :mod:`qhw.circuits.shift_rules`.
        wrt: the parameters to derive by, by name or themselves; all by default.

    Returns:
        Values with standard errors, exact values, shot floor, the value of the maximally mixed
        state, and cost; with a gradient :class:`~qhw.api.gradients.ExpectationGradient`.

    Raises:
        ValueError: observables that do not fit the circuit; neither shots nor a precision, both,
            or a precision that cannot be reached.
        ShiftError: a parameter that the circuit lacks, or that no shift rule is for.
        AnglesError: angles that do not fit the circuit.
        BackendError: the circuit does not fit the device.
        MitigationError: pipeline, shots, circuit and device do not go together.
        BudgetError: the device's budget or a cap would be passed; nothing was sent. Of a precision
            the line has the one that the budget allows.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> bell = QuantumCircuit(2)
        >>> _ = bell.h(0), bell.cx(0, 1)
        >>> found = expect(bell, None, ["ZZ", "0.5*XX - YY"], "engine:ibm_fez", shots=10_000)
        >>> found.exact.round(6)
        array([[1. , 1.5]])
        >>> from qiskit.circuit import Parameter
        >>> turned = QuantumCircuit(1)
        >>> _ = turned.ry(Parameter("t"), 0)
        >>> asked = {"shots": 1000, "mitigation": "none", "gradient": "shift"}
        >>> found = expect(turned, [[0.5]], "Z", "exact", **asked)
        >>> found.exact_gradient.round(4)  # minus the sine
        array([[[-0.4794]]])
        >>> asked = {"precision": 0.01, "mitigation": "none"}
        >>> found = expect(turned, [[0.5]], "Z", "exact", **asked)
        >>> 2298 < found.result.settings.shots < 2500  # (1 - cos(0.5)**2) / 0.01**2
        True
    """
    if gradient not in (None, "shift"):
        raise ValueError(f'Argument `gradient` must be "shift" or None, but is {gradient!r}')
    if wrt is not None and gradient is None:
        raise ValueError('Argument `wrt` must be left out without gradient="shift"')
    place = as_device(device)
    options = shots, precision, mitigation, seed
    settings, work = asked_values(circuit, angles, observables, place, options, bind)
    settings = settings.model_copy(update={"probe": probe})
    if gradient is None:
        return _evaluated(place, work, settings, again=again, tell=tell)
    shifted = shifted_rows(work, wrt)
    more = shifted.settings(settings)
    found = _evaluated(place, shifted.work, more, again=again, tell=tell)
    return ExpectationGradient(found, shifted)


def _evaluated(
    place: Device,
    work: Workload,
    settings: ExpectSettings,
    *,
    again: bool,
    tell: Callable[[str], None],
) -> ExpectationValues:
    settings, _ = planned(place, work, settings, tell, again=again)
    if place.backend is not None:
        call = f"qhw.{settings.task}(...)"
        found = simulate(settings, work, place.backend, command=call, notify=tell)
        return ExpectationValues(found)
    run = begun(ExpectRun, place, work, settings, again=again, tell=tell)
    waited = run.wait(tell)
    assert waited is not None  # waited for without a limit
    return ExpectationValues(waited)


def planned(
    place: Device,
    work: Workload,
    settings: ExpectSettings,
    tell: Callable[[str], None],
    *,
    again: bool,
) -> tuple[ExpectSettings, ShotPlan | None]:
    """Settings with shots for their precision, where they have one that no run goes on with.

    Raises:
        ValueError: a precision that needs no measurement, or that the device does not reach.
        BudgetError: they would pass the device's budget; nothing was sent.
    """
    if settings.precision is None:
        return settings, None
    if place.takes_jobs and not again and ExpectRun.in_ledger(settings):
        return settings, None
    backend = get_vendor(place.name) if place.backend is None else place.backend
    wanted = parse_precision(settings.precision, "observable")
    settings, plan = planned_values(settings, work, backend, wanted, tell, place.budget)
    tell(plan.words)
    return settings, plan


def asked_values(
    circuit: CircuitLike,
    angles: object,
    observables: Observables,
    place: Device,
    options: tuple[int | str | None, float | None, str, int],
    bind: Mapping[str, object] | None = None,
) -> tuple[ExpectSettings, Workload]:
    """What is asked for, checked as far as it can be without the device.

    Args:
        circuit: see :func:`expect`.
        angles: likewise.
        observables: likewise.
        place: device.
        options: shots, precision, mitigation and seed.
        bind: likewise.

    Raises:
        ValueError: see :func:`expect`.
    """
    shots, precision, mitigation, seed = options
    one_of(shots, precision)
    wanted = None if precision is None else parse_precision(precision, "observable")
    return prepare(
        circuit,
        angles,
        observables,
        bind=bind,
        device=place.name,
        mitigation=mitigation,
        shots=UNPLANNED if shots is None else number_of_shots(shots),
        precision=None if wanted is None else str(wanted),
        seed=seed,
    )
