"""What a program has so far: its circuit, its names, and how much of the bounds is used up."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from openqasm3 import ast
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Clbit, Qubit
from qiskit.circuit.classical import expr
from qiskit.transpiler import Layout
from qiskit.transpiler.layout import TranspileLayout

from qhw.circuits.qasm3.faults import Qasm3Error
from qhw.circuits.qasm3.values import Bits, Kind, Qubits
from qhw.circuits.qasm_scan import MAX_BITS, MAX_NESTING, MAX_OPERATIONS, MAX_QUBITS

MAX_STEPS = 1_000_000
"""Statements that are run while a program is read, those of its loops each time."""
MAX_SECONDS = 30.0
"""Of processor time that running them may take."""
_STEPS_A_LOOK = 512


@dataclass
class Variable:
    """A classical variable.

    Attributes:
        kind: its type.
        value: what it holds; of bits their places, see :class:`Cells`.
        constant: whether it may be assigned to.
        depth: how many blocks that measurements decide on stand around its declaration.
    """

    kind: Kind
    value: Any
    constant: bool = False
    depth: int = 0


@dataclass(frozen=True)
class Cells:
    """Where declared bits are kept, lowest first."""

    bits: tuple[Clbit, ...]
    scalar: bool = False
    register: ClassicalRegister | None = None


@dataclass(frozen=True)
class Defined:
    """A gate that the program defines, or one that it need not define.

    Attributes:
        made: gives the gate of angles.
        angles: how many.
        qubits: how many.
        operations: gates that it stands for.
        depth: how deep its definition goes.
        exact: the same with its global phase, for controls; ``None`` where ``made`` has it.
    """

    made: Any
    angles: int
    qubits: int
    operations: int = 1
    depth: int = 0
    exact: Any = None


@dataclass
class State:
    """A program as far as it was read.

    Attributes:
        values: of inputs, by name.
        circuit: that is built.
        scopes: names, the innermost last.
        known: bits that nothing measured has been written to, and what they hold.
        depth: blocks around that measurements decide on.
        calls: subroutines around.
        physical: whether it names qubits of a device.
        inputs: names of its inputs.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    circuit: QuantumCircuit = field(default_factory=QuantumCircuit)
    scopes: list[dict[str, Any]] = field(default_factory=lambda: [{}])
    known: dict[Clbit, int] = field(default_factory=dict)
    depth: int = 0
    calls: int = 0
    physical: bool = False
    inputs: list[str] = field(default_factory=list)
    _steps: int = 0
    _operations: int = 0
    _bits: int = 0
    _since: float = field(default_factory=time.process_time)

    def step(self) -> None:
        """Count a statement.

        Raises:
            Qasm3Error: too many, or too long.
        """
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise Qasm3Error(f"must run at most {MAX_STEPS} statements, but runs more")
        if self._steps % _STEPS_A_LOOK == 0:
            self.look_at_clock()

    def look_at_clock(self) -> None:
        """Refuse to go on when it took too long."""
        if time.process_time() - self._since > MAX_SECONDS:
            raise Qasm3Error(
                f"must be written out within {MAX_SECONDS:.0f} seconds of processor time, but "
                "takes longer"
            )

    def count(self, operations: int) -> None:
        """Count what is added to the circuit.

        Raises:
            Qasm3Error: too much.
        """
        self._operations += operations
        if self._operations > MAX_OPERATIONS:
            raise Qasm3Error(
                f"must have at most {MAX_OPERATIONS} operations when all is written out, but has "
                "more"
            )

    def find(self, name: str) -> Any:
        """What a name stands for; ``None`` for nothing."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        return self._qubit_of_device(name) if name[0] == "$" else None

    def declare(self, name: str, thing: Any) -> None:
        """Add a name to the innermost scope.

        Raises:
            Qasm3Error: it is taken there.
        """
        if name in self.scopes[-1]:
            raise Qasm3Error(f"{name!r} is already defined")
        self.scopes[-1][name] = thing

    @contextmanager
    def scope(self, names: dict[str, Any] | None = None, *, alone: bool = False) -> Iterator[None]:
        """Names of a block; of a subroutine's body ``alone``, beside the program's own."""
        before = self.scopes
        self.scopes = [*([before[0]] if alone else before), names or {}]
        if len(self.scopes) > MAX_NESTING or self.calls > MAX_NESTING:
            raise Qasm3Error(f"must nest at most {MAX_NESTING} deep, but nests deeper")
        try:
            yield
        finally:
            self.scopes = before

    def add_qubits(self, name: str, size: int | None) -> None:
        """Declare qubits.

        Raises:
            Qasm3Error: too many, or beside qubits of a device.
        """
        if self.physical:
            raise Qasm3Error("qubits of a device and registers must not stand in one program")
        count = 1 if size is None else size
        if not 1 <= count <= MAX_QUBITS - self.circuit.num_qubits:
            raise Qasm3Error(f"must have 1 to {MAX_QUBITS} qubits, but declares {count} more")
        if size is None:
            bits: list[Qubit] = [Qubit()]
            self.circuit.add_bits(bits)
        else:
            register = QuantumRegister(count, self._free_name(name))
            self.circuit.add_register(register)
            bits = list(register)
        self.declare(name, Qubits(tuple(bits), size is None))

    def add_bits(self, name: str, size: int | None) -> Cells:
        """New classical bits, in the ground state, not declared yet.

        Raises:
            Qasm3Error: too many.
        """
        count = 1 if size is None else size
        self._bits += count
        if count < 1 or self._bits > MAX_BITS:
            raise Qasm3Error(f"must have 1 to {MAX_BITS} classical bits, but has {self._bits}")
        if size is None:
            bits: tuple[Clbit, ...] = (Clbit(),)
            self.circuit.add_bits(bits)
            cells = Cells(bits, scalar=True)
        else:
            register = ClassicalRegister(count, self._free_name(name))
            self.circuit.add_register(register)
            cells = Cells(tuple(register), register=register)
        self.known.update(dict.fromkeys(cells.bits, 0))
        return cells

    def bits_in(self, cells: Cells) -> Bits:
        """What bits hold."""
        entries = tuple(self.known.get(bit, bit) for bit in cells.bits)
        return Bits(entries, cells.scalar, cells.register)

    def set_bits(self, cells: Cells, value: Bits) -> None:
        """Assign known bits.

        Raises:
            Qasm3Error: other sizes, or the value of measured bits.
        """
        if len(value.entries) != len(cells.bits):
            raise Qasm3Error(f"must have {len(cells.bits)} bits, but has {len(value.entries)}")
        if tuple(value.entries) == cells.bits:
            return
        for bit, entry in zip(cells.bits, value.entries, strict=True):
            if not isinstance(entry, int):
                raise Qasm3Error("measured bits must not be copied; measure into the bit itself")
            if self.depth or bit not in self.known:
                self.circuit.store(bit, expr.lift(bool(entry)))
                self.count(1)
            if self.depth:
                self.known.pop(bit, None)
            else:
                self.known[bit] = entry

    def forget(self, bits: tuple[Clbit, ...]) -> None:
        """Bits are written where it is not known whether: a device holds them from now on."""
        for bit in bits:
            if self.known.pop(bit, 0):
                self.circuit.store(bit, expr.lift(True))

    def measured(self, cells: Cells) -> None:
        """Bits were measured into."""
        for bit in cells.bits:
            if self.known.pop(bit, 0) and self.depth:
                raise Qasm3Error(
                    "a bit that holds 1 must not be measured into where it is not known whether"
                )

    def place_on_device(self) -> None:
        """Note that the circuit's qubits are a device's, in order."""
        if self.physical:
            self.circuit._layout = TranspileLayout(
                initial_layout=Layout.from_qubit_list(self.circuit.qubits),
                input_qubit_mapping={bit: i for i, bit in enumerate(self.circuit.qubits)},
                final_layout=None,
            )

    def _free_name(self, name: str) -> str:
        plain = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
        taken = {register.name for register in (*self.circuit.qregs, *self.circuit.cregs)}
        number, found = 0, plain
        while found in taken:
            number += 1
            found = f"{plain}_{number}"
        return found

    def _qubit_of_device(self, name: str) -> Qubits:
        if not self.physical and self.circuit.num_qubits:
            raise Qasm3Error("qubits of a device and registers must not stand in one program")
        index = int(name[1:])
        if index >= MAX_QUBITS:
            raise Qasm3Error(f"must have at most {MAX_QUBITS} qubits, but names {name}")
        if missing := range(self.circuit.num_qubits, index + 1):
            self.circuit.add_bits([Qubit() for _ in missing])
        self.physical = True
        found = Qubits((self.circuit.qubits[index],), scalar=True)
        self.scopes[0][name] = found
        return found


def called(node: ast.QASMNode) -> str:
    """What a kind of statement or expression is called."""
    return _CALLED.get(type(node), type(node).__name__)


_CALLED: dict[type, str] = {
    ast.CalibrationStatement: "cal",
    ast.CalibrationDefinition: "defcal",
    ast.CalibrationGrammarDeclaration: "defcalgrammar",
    ast.ExternDeclaration: "extern",
    ast.DurationOf: "durationof",
}
