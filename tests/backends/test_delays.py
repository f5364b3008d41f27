"""Delays that a circuit asks for are kept in place by everything that compiles or rewrites."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backends.native.compile import compile_native
from backends.native.template import compile_template, native_rows
from calibration.snapshot import DeviceSnapshot
from tests.backends.delay_channels import UNITS, distribution, random_circuit, reference
from tests.backends.native_devices import VENDORS, device

RING = ((0, 1), (1, 2), (2, 3), (0, 3))
SIMULATED = ("ibm_cz", "ibm_fractional", "ibm_ecr", "ibm_cx", "ionq", "rigetti", "iqm", "aqt")


def with_clock(vendor: str, clock: bool) -> DeviceSnapshot:
    found = device(vendor, RING, 4)
    return found.model_copy(update={"dt_s": 1e-9 if clock else None})


@given(
    vendor=st.sampled_from(sorted(VENDORS)),
    seed=st.integers(0, 2**32),
    n=st.integers(1, 3),
    level=st.integers(0, 3),
    clock=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_native_compilation_keeps_every_delay(
    vendor: str, seed: int, n: int, level: int, clock: bool
) -> None:
    part = with_clock(vendor, clock)
    units = UNITS if clock else UNITS[1:]
    circuit = random_circuit(np.random.default_rng(seed), n, 1e-9, units)
    native = compile_native(circuit, part, level=level, fractional=vendor == "ibm_fractional")
    found = distribution(native.circuit, part.dt_s)
    assert np.allclose(found, reference(circuit, part.dt_s), atol=1e-8)
    template = compile_template(circuit, part)
    (row,) = native_rows(template, np.empty((1, 0)))
    assert np.allclose(distribution(row, part.dt_s), found, atol=1e-8)
