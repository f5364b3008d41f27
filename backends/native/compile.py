"""The compiler: any circuit onto any device's native gates, free angles kept free.

Candidates come from Qiskit, on a few qubits and on the whole device. The best are moved to the
qubits of highest predicted success, as mapomatic does, and stand as Qiskit writes them and as our
own pass does, which needs fewer pulses around most gates but ``cz``. The best by
:func:`~backends.native.prediction.predict` is kept, idle decay included. Simulators, vendors, depth
reports and drift all compile here: what is simulated is what is sent and counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Self

from qiskit import QuantumCircuit
from qiskit.circuit import CircuitInstruction

from backends.base import BackendError, CompiledTemplate
from backends.checks import check_measures_last
from backends.delays import with_own_delays
from backends.dynamic.circuit import is_dynamic, opened
from backends.dynamic.compile import route_dynamic
from backends.dynamic.surrogate import counted
from backends.figures import size_of
from backends.native.as_compiled import in_its_place, place_on
from backends.native.fold import fold_rzz_angles
from backends.native.levels import LEVELS
from backends.native.prediction import Prediction, predict
from backends.native.regions import SEARCH_LIMIT, regions
from backends.native.routing import Routed, as_asked, as_given, check_fits
from backends.native.schedule import schedule_alap
from backends.native.translate import to_native
from backends.native.writing import Writing, with_random_angles
from backends.plain import measured_form, plain
from calibration.layout import Interaction, LayoutError, best_layouts, score
from calibration.snapshot import DeviceSnapshot

COMPILER_VERSION = 4
"""Part of every cache key: raised when the same input may give another circuit."""
SEEDS = 3
"""Seeds tried at level 3: on heavy-hex trees all agree in a small region, on grids within 3 %."""
_EXACT_QUBITS = 10
"""Most qubits of an exact noisy distribution, see :mod:`backends.aer`."""
_MOVED = 3
"""Circuits routed in small regions that are moved: the best ones."""
_SHAPES = 2
"""Shapes of small regions that every seed is tried in; the others show with one what they give."""
_REWRITTEN = 2
"""Circuits as Qiskit writes them whose pulses our own pass writes anew: the best ones."""
_KNOWN_TO = 1e-3
"""Of a logarithm of success: calibrations do not tell candidates apart that differ by less."""


@dataclass(frozen=True)
class NativeCircuit:
    """A circuit in native gates.

    Attributes:
        circuit: on qubits ``0 .. k-1``, only those that are used; measurements as in the input. Of
            free angles on a device that is written row by row, the circuit of one random row.
        template: what is kept to bind rows to: ``circuit``, or canonical gates.
        qubits: device qubit of each circuit qubit.
        start: position in ``circuit`` where each qubit of the input begins.
        end: position where it ends.
        swaps: swaps that routing inserted.
        level: optimisation level.
        seed: of layout and routing, the first that was tried.
        prediction: success, sum of two-qubit errors, duration.
        snapshot: calibration it was compiled against.
    """

    circuit: QuantumCircuit
    template: QuantumCircuit = field(repr=False)
    qubits: tuple[int, ...]
    start: tuple[int, ...]
    end: tuple[int, ...]
    swaps: int
    level: int
    seed: int
    prediction: Prediction
    snapshot: DeviceSnapshot = field(repr=False)

    @classmethod
    def of(cls, routed: Routed, snapshot: DeviceSnapshot, *, level: int, seed: int) -> Self:
        """What is in native gates already, with its prediction."""
        return cls(
            circuit=routed.circuit,
            template=routed.circuit,
            qubits=routed.qubits,
            start=routed.start,
            end=routed.end,
            swaps=routed.swaps,
            level=level,
            seed=seed,
            prediction=predict(routed.circuit, snapshot, routed.qubits),
            snapshot=snapshot,
        )

    def bound(self, values: Mapping[str, float]) -> NativeCircuit:
        """The circuit of one row of angles, as it is sent.

        Args:
            values: radians by parameter name.

        Raises:
            BackendError: an angle that no native gate can make.
        """
        here = {p: values[p.name] for p in self.template.parameters}
        template = self.template.assign_parameters(here)
        if self.template is self.circuit:
            circuit = template = fold_rzz_angles(template, self.snapshot)
        else:
            circuit = to_native(template, self.snapshot, self.qubits)
        prediction = predict(circuit, self.snapshot, self.qubits)
        return replace(self, circuit=circuit, template=template, prediction=prediction)

    def kept(
        self, circuit: QuantumCircuit, *, seed: int = 0, scheduled: bool = False
    ) -> CompiledTemplate:
        """What simulators and vendors take.

        Args:
            circuit: that was compiled: names of its parameters, size of its register.
            seed: of the compilation.
            scheduled: write waits out, where the template is in native gates.
        """
        template, scheduled = self.template, scheduled and self.template is self.circuit
        scheduled = scheduled and not is_dynamic(template)
        if scheduled:
            template = schedule_alap(template, self.snapshot.restricted(self.qubits)).circuit
        return CompiledTemplate(
            circuit=template,
            parameter_names=tuple(p.name for p in circuit.parameters),
            n_measured=circuit.num_clbits,
            physical_qubits=self.qubits,
            **size_of(self.counted),
            duration_s=self.prediction.duration_s,
            seed=seed,
            snapshot=self.snapshot,
            predicted_success=self.prediction.layout.success,
            scheduled=scheduled,
        )

    @property
    def counted(self) -> QuantumCircuit:
        """What is counted: the circuit, or the longest course of a dynamic one."""
        return counted(self.circuit)

    @property
    def two_qubit_gates(self) -> int:
        """Number of two-qubit gates."""
        return int(self.counted.num_nonlocal_gates())

    @property
    def two_qubit_depth(self) -> int:
        """Depth counting two-qubit gates only."""
        return int(self.counted.depth(_entangles))

    @property
    def depth(self) -> int:
        """Depth without virtual gates, barriers and measurements."""
        free = {*self.snapshot.virtual_gates, "barrier", "measure", "delay"}
        return int(self.counted.depth(lambda item: item.name not in free))

    @property
    def pulses(self) -> int:
        """Physical one-qubit gates."""
        free = {*self.snapshot.virtual_gates, "barrier", "measure", "delay", "reset"}
        return sum(len(item.qubits) == 1 and item.name not in free for item in self.counted.data)


def compile_template(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    *,
    seed: int = 0,
    fractional: bool = False,
    scheduled: bool = False,
) -> CompiledTemplate:
    """Compile a circuit once, for any number of rows of angles; what is compiled already is kept.

    Args:
        circuit: gates, then measurements; parameters may be free.
        snapshot: the device.
        seed: as :func:`compile_native`.
        fractional: as :func:`compile_native`.
        scheduled: write waits out, where the template is in native gates.

    Returns:
        The template, in native gates or in canonical ones (:mod:`backends.native.writing`), whose
        depth, duration and predicted success are then those of a row of random angles.

    Raises:
        BackendError: as :func:`compile_native`; no measurement.
    """
    circuit = measured_form(circuit)
    found = _as_compiled(circuit, snapshot, seed=seed, fractional=fractional)
    if found is None:
        found = compile_native(circuit, snapshot, seed=seed, fractional=fractional)
    return found.kept(circuit, seed=seed, scheduled=scheduled)


def compile_native(
    circuit: QuantumCircuit,
    snapshot: DeviceSnapshot,
    *,
    level: int = LEVELS[-1],
    seed: int = 0,
    fractional: bool = False,
    qubits: tuple[int, ...] | None = None,
) -> NativeCircuit:
    """Compile a circuit for a device.

    Args:
        circuit: gates of any size and delays, then final measurements, or none; parameters of
            gates may be free.
        snapshot: the device.
        level: 0 to 2: Qiskit's effort in layout, routing and two-qubit optimisation on the whole
            device, with one seed; one-qubit gates are merged and z kept virtual at every level.
            3: the best of all candidates.
        seed: first seed of layout and routing; level 3 also tries the :data:`SEEDS` - 1 next ones.
        fractional: with the gates that must be asked for (IBM's ``rzz`` and ``rx``).
        qubits: device qubit on which each qubit of the circuit begins, no others being used; at
            levels 0 to 2. Anywhere by default.

    Raises:
        ValueError: unknown level, or a place at level 3, which looks for the best one.
        BackendError: reset of a qubit in use, classical control, an angle that is not finite, a
            measurement that is not last, a circuit that does not fit, a delay without a length
            there, or native gates of an unknown kind.
    """
    if level not in LEVELS:
        raise ValueError(f"Argument `level` must be one of {LEVELS}, but is {level!r}.")
    if qubits is not None and level == LEVELS[-1]:
        raise ValueError(f"Argument `qubits` must come with level 0 to 2, but level is {level}.")
    if is_dynamic(circuit):
        return _dynamic(opened(circuit), snapshot, level=level, seed=seed, fractional=fractional)
    circuit = plain(circuit)
    check_measures_last(circuit)
    check_fits(circuit, snapshot)
    circuit = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    found: list[NativeCircuit] = []
    refused: BackendError | None = None
    ways = Writing.ways(snapshot, fractional)
    own = 0 if level == 1 and ways[0].as_few_pulses else -1
    for how in ways if level == LEVELS[-1] else (ways[own],):
        try:
            found += _Compiler(how, level, seed, qubits).candidates(circuit)
        except BackendError as error:
            refused = error
    if refused is not None and not found:
        raise refused
    return _best(found, max(circuit.num_qubits, _EXACT_QUBITS))


def _as_compiled(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, *, seed: int, fractional: bool
) -> NativeCircuit | None:
    """A circuit whose file says that it was compiled for the device, on its qubits.

    As it is where all its gates are native there; else, such as with other gates before its
    readout, written anew without moving.
    """
    place = None if is_dynamic(circuit) else place_on(circuit, snapshot)
    if place is None:
        return None
    own = with_own_delays(circuit, snapshot.dt_s, snapshot.name)
    if (routed := in_its_place(own, snapshot, place)) is None:
        return compile_native(
            circuit, snapshot, level=1, seed=seed, fractional=fractional, qubits=place
        )
    how = Writing.ways(snapshot, fractional)[0]
    return _Compiler(how, LEVELS[0], seed)._native(routed)


def in_native_gates(
    routed: Routed, snapshot: DeviceSnapshot, *, level: int, seed: int
) -> NativeCircuit:
    """What another compiler placed and routed, written in native gates.

    Args:
        routed: bound, its two-qubit gates between coupled qubits alone.
        snapshot: the device.
        level: it stays where it is up to 2; at 3 it is also tried, as it stands, on the qubits of
            highest predicted success.
        seed: of Qiskit's passes.

    Raises:
        BackendError: Qiskit cannot translate it.
    """
    work = _Compiler(Writing.ways(snapshot, False)[0], level, seed)
    placed = replace(work.how.on(routed, routed.qubits, seed=seed, level=1), swaps=routed.swaps)
    if level < LEVELS[-1]:
        return work._native(placed)
    return max(work._moved(placed), key=_success)


def _dynamic(
    circuit: QuantumCircuit, snapshot: DeviceSnapshot, *, level: int, seed: int, fractional: bool
) -> NativeCircuit:
    """The best of what Qiskit makes of a dynamic circuit."""
    tries = route_dynamic(circuit, snapshot, level=level, seed=seed, fractional=fractional)
    found = [NativeCircuit.of(one, snapshot, level=level, seed=seed) for one in tries]
    return max(found, key=_success)


def _best(found: Sequence[NativeCircuit], most: int) -> NativeCircuit:
    """The first unless another is better by more than what is known.

    One on more qubits than can be simulated exactly (``most``) must not win over one that can.
    """
    best = found[0]
    for one in found[1:]:
        if len(one.qubits) <= most and _success(one) > _success(best) + _KNOWN_TO:
            best = one
    return best


@dataclass(frozen=True)
class _Compiler:
    """One compilation: how it is written, and what every result of it has in common."""

    how: Writing
    level: int
    seed: int
    place: tuple[int, ...] | None = None

    def candidates(self, circuit: QuantumCircuit) -> list[NativeCircuit]:
        """All that this way of writing gives.

        Raises:
            BackendError: it gives nothing.
        """
        if self.place is not None:
            found = [self._native(self._in_place(circuit, self.place))]
        elif self.level < LEVELS[-1]:
            found = [self._native(self.how.wide(circuit, level=self.level, seed=self.seed))]
        elif self.how.canonical and not self.how.by_rows:
            found = list(self._wide(circuit, self._seeds[:1]))
        else:
            found = []
            with suppress(BackendError):  # of a region that is too small, where the whole is not
                found = list(self._small(circuit))
            alone = bool(found) and found[0].swaps == 0  # then seeds, which are of routing, agree
            try:
                found += self._wide(circuit, self._seeds[: 1 if alone else SEEDS])
            except (
                BackendError
            ):  # of a device whose qubits are not connected, which need not matter
                if not found:
                    raise
        how = self.how
        if self.level < LEVELS[-1] or how.canonical or how.mixed or how.as_few_pulses:
            return found
        return [*found, *self._rewritten(found)]

    def _in_place(self, circuit: QuantumCircuit, qubits: tuple[int, ...]) -> Routed:
        """On the qubits asked for, as it stands."""
        return self.how.on(as_given(circuit), qubits, level=self.level, seed=self.seed)

    def _rewritten(self, found: Sequence[NativeCircuit]) -> Iterator[NativeCircuit]:
        """The best of what Qiskit wrote, its pulses written anew."""
        differ = {_success(one): one for one in reversed(found)}
        for success in sorted(differ, reverse=True)[:_REWRITTEN]:
            one = differ[success]
            with suppress(BackendError):
                pulses = self.how.by_pulses(one.circuit, one.qubits)
                prediction = predict(pulses, one.snapshot, one.qubits)
                yield replace(one, circuit=pulses, template=pulses, prediction=prediction)

    def _small(self, circuit: QuantumCircuit) -> Iterator[NativeCircuit]:
        """On as many qubits as the circuit has: without swaps where it embeds, else routed."""
        flat = as_asked(circuit, self.how.basis, self.seed)
        try:
            spot = self._spot(flat.circuit, self.how.snapshot)
        except LayoutError:
            for routed in self._in_regions(circuit):
                yield from self._moved(routed)
            return
        placed = self.how.on(flat, spot, seed=self.seed)
        if self.how.canonical:  # only now it is known how many pulses there are
            yield from self._moved(placed)
        else:
            yield self._native(placed)

    def _wide(self, circuit: QuantumCircuit, seeds: Sequence[int]) -> Iterator[NativeCircuit]:
        """Routed on the whole device, then moved."""
        tries = []
        for seed in seeds:
            if _uniform(self.how.snapshot):  # any qubits are as good as all, which take seconds
                some = tuple(range(circuit.num_qubits))
                routed = self.how.on(as_given(circuit), some, seed=seed, stay=False)
            else:
                routed = self.how.wide(circuit, level=self.level, seed=seed)
            found = self._native(routed)
            yield found
            tries.append((_success(found), routed))
        tries.sort(key=lambda t: t[0], reverse=True)
        for _, routed in tries if self.how.canonical else tries[:1]:
            yield from self._moved(routed)

    def _in_regions(self, circuit: QuantumCircuit) -> Iterator[Routed]:
        """Routed in each shape of region, with all seeds in the best ones: the best that differ."""
        given, snapshot = as_given(circuit), self.how.snapshot
        tries: dict[float, tuple[tuple[int, ...], Routed]] = {}

        def attempt(qubits: tuple[int, ...], seed: int) -> None:
            routed = self.how.on(given, qubits, seed=seed, stay=False)
            part = snapshot.restricted(qubits)
            wish = Interaction.of(routed.circuit, part)
            found = score(wish, part, range(len(qubits))).log_success
            tries.setdefault(found, (qubits, routed))

        for qubits in regions(snapshot, circuit.num_qubits):
            attempt(qubits, self.seed)
        best = [tries[success][0] for success in sorted(tries, reverse=True)[:_SHAPES]]
        for qubits in best:
            for seed in self._seeds[1:]:
                attempt(qubits, seed)
        for success in sorted(tries, reverse=True)[:_MOVED]:
            yield tries[success][1]

    def _moved(self, routed: Routed) -> Iterator[NativeCircuit]:
        """A circuit where it is, and on the best qubits that it fits on as it stands, if it does.

        On mixed devices not every coupling has the gate that was chosen.
        """
        found = self._native(routed)
        yield found
        with suppress(LayoutError, BackendError):
            spot = self._spot(found.circuit, self.how.snapshot.restricted(routed.qubits))
            if not self.how.canonical:  # Qiskit writes it anew
                yield self._native(self.how.on(routed, spot, seed=self.seed))
            elif spot != routed.qubits:
                yield self._native(replace(routed, qubits=spot))

    def _native(self, routed: Routed) -> NativeCircuit:
        """In native gates, with a prediction: those of a row of random angles if there is none."""
        native, snapshot = routed.circuit, self.how.snapshot
        if self.how.by_rows:
            native = with_random_angles(native, self.seed)
        if self.how.canonical or self.how.mixed:
            native = self.how.by_pulses(native, routed.qubits)
        return NativeCircuit(
            circuit=native,
            template=routed.circuit if self.how.by_rows else native,
            qubits=routed.qubits,
            start=routed.start,
            end=routed.end,
            swaps=routed.swaps,
            level=self.level,
            seed=self.seed,
            prediction=predict(native, snapshot, routed.qubits),
            snapshot=snapshot,
        )

    def _spot(self, circuit: QuantumCircuit, part: DeviceSnapshot) -> tuple[int, ...]:
        """Device qubits of highest predicted success for a circuit as it stands on a part."""
        snapshot = self.how.snapshot
        if _uniform(snapshot):
            return tuple(range(circuit.num_qubits))
        wish = Interaction.of(circuit, part)
        return best_layouts(wish, snapshot, top=1, limit=SEARCH_LIMIT)[0].qubits

    @property
    def _seeds(self) -> range:
        return range(self.seed, self.seed + SEEDS)


def _success(found: NativeCircuit) -> float:
    return found.prediction.layout.log_success


def _uniform(snapshot: DeviceSnapshot) -> bool:
    """Whether all places are alike: all-to-all devices that report means only."""
    pairs = snapshot.n_qubits * (snapshot.n_qubits - 1) // 2
    gates = {(g.name, g.error, g.duration_s) for g in snapshot.gates}
    qubits = {(q.t1_s, q.t2_s, q.readout_error) for q in snapshot.qubits}
    alike = len(gates) == len({name for name, _, _ in gates}) and len(qubits) == 1
    return alike and len(snapshot.usable_couplings) == pairs


def _entangles(item: CircuitInstruction) -> bool:
    return len(item.qubits) == 2 and item.name != "barrier"
