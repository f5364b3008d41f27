"""Small invented devices of every vendor's native gates."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from calibration.snapshot import DeviceSnapshot, Gate, GateLimit, Qubit

QUARTER = GateLimit(gate="rx", allowed=(-math.pi, -math.pi / 2, math.pi / 2, math.pi))
RZZ = GateLimit(gate="rzz", minimum=0.0, maximum=math.pi / 2)
RXX = GateLimit(gate="rxx", minimum=0.0, maximum=math.pi / 2)

VENDORS: dict[str, dict[str, Any]] = {
    "ibm_cz": {"ones": ("rz", "sx", "x"), "two": "cz", "virtual": ("rz",)},
    "ibm_fractional": {
        "ones": ("rz", "sx", "x"),
        "two": "cz",
        "virtual": ("rz",),
        "optional": ("rx", "rzz"),
        "limits": (RZZ,),
    },
    "ibm_ecr": {"ones": ("rz", "sx", "x"), "two": "ecr", "virtual": ("rz",)},
    "ibm_cx": {"ones": ("u1", "u2", "u3"), "two": "cx", "virtual": ("u1",)},
    "iqm": {"ones": ("r",), "two": "cz"},
    "rigetti": {"ones": ("rx", "rz"), "two": "cz", "virtual": ("rz",), "limits": (QUARTER,)},
    "rigetti_iswap": {
        "ones": ("rx", "rz"),
        "two": "iswap",
        "virtual": ("rz",),
        "limits": (QUARTER,),
    },
    "rigetti_cp": {"ones": ("rx", "rz"), "two": "cp", "virtual": ("rz",), "limits": (QUARTER,)},
    "ionq": {"ones": ("gpi", "gpi2"), "two": "rzz"},
    "aqt": {"ones": ("r",), "two": "rxx", "limits": (RXX,)},
    "aqt_rz": {"ones": ("r", "rz"), "two": "rxx", "virtual": ("rz",), "limits": (RXX,)},
}


def device(
    vendor: str,
    pairs: tuple[tuple[int, int], ...],
    n: int,
    *,
    dead: frozenset[int] = frozenset(),
    errors: tuple[float, ...] = (0.01,),
) -> DeviceSnapshot:
    """A device on ``n`` qubits whose two-qubit gates act as ``pairs`` say, control first."""
    kind = VENDORS[vendor]
    ones, optional = kind["ones"], kind.get("optional", ())
    virtual = kind.get("virtual", ())
    gates = [
        Gate(
            name=name,
            qubits=(q,),
            error=0.0 if name in virtual else 1e-3,
            duration_s=0.0 if name in virtual else 4e-8,
            usable=q not in dead or name in virtual,
        )
        for name in (*ones, *(o for o in optional if o == "rx"))
        for q in range(n)
    ]
    for i, pair in enumerate(pairs):
        for name in (kind["two"], *(o for o in optional if o != "rx")):
            error = errors[i % len(errors)]
            gates.append(Gate(name=name, qubits=pair, error=error, duration_s=2e-7))
    return DeviceSnapshot(
        name=f"test_{vendor}",
        vendor=vendor,
        processor="invented",
        taken=datetime(2026, 1, 2, tzinfo=UTC),
        source="invented for tests",
        payload_sha256="0" * 64,
        qubits=tuple(Qubit(label=q, t1_s=1e-4, t2_s=8e-5, p10=0.01, p01=0.02) for q in range(n)),
        gates=tuple(gates),
        couplings=tuple(sorted({(min(p), max(p)) for p in pairs})),
        one_qubit_gates=ones,
        two_qubit_gates=(kind["two"],),
        optional_gates=optional,
        virtual_gates=virtual,
        gate_limits=kind.get("limits", ()),
        dt_s=1e-9,
    )
