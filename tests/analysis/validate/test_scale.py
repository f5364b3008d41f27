"""Device models with more or less noise, and devices from published figures."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit

from backends.base import UnknownBackendError
from backends.engine.backend import EngineBackend
from backends.registry import asked_noise, get_backend, noise_suffix
from calibration.catalog import load_snapshot
from calibration.noise import NoiseOptions
from qhw.analysis.depth.jobs import Compiled, with_noise
from qhw.analysis.validate.scale import noise_scales, scaled_devices, vendor_scales
from tests.calibration.factory import line_device


@pytest.fixture(scope="module")
def circuit():
    qc = QuantumCircuit(3, 3)
    qc.h(0)
    qc.cx(0, 1)
    qc.cx(1, 2)
    qc.measure(range(3), range(3))
    return qc


def _probabilities(name, circuit):
    backend = get_backend(name)
    return backend.probabilities(backend.compile(circuit), np.empty((1, 0)))[0]


def test_a_scaled_name_leads_back_to_itself_and_scales_all_reported_noise(circuit):
    backend = get_backend("engine:ibm_fez+noise=2.5")
    assert backend.name == "engine:ibm_fez+noise=2.5"
    assert backend.noise == NoiseOptions(gates=2.5, idle=2.5, readout=2.5)
    exact = np.zeros(8)
    exact[[0, 7]] = 0.5
    far = [
        abs(_probabilities(f"{kind}:ibm_fez{noise}", circuit) - exact).sum() / 2
        for kind, noise in (("engine", ""), ("engine", "+noise=2"), ("aer", "+noise=2"))
    ]
    assert far[1] == pytest.approx(2 * far[0], rel=0.05)  # small errors add up
    assert far[2] == pytest.approx(far[1], abs=1e-9)
    assert _probabilities("engine:ibm_fez+noise=0", circuit) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("factor", [0.815, 2.785, 2.0, 0.001, 123.456])
def test_suffix_and_factor_are_inverse(factor):
    assert asked_noise(f"ibm_fez{noise_suffix(factor)}") == ("ibm_fez", factor)


def test_measured_is_both_ends_of_the_interval():
    names = scaled_devices("aer:ibm_fez", "measured")
    assert names == ("aer:ibm_fez+noise=0.815", "aer:ibm_fez+noise=2.785")
    assert scaled_devices("aer:ibm_fez", None) == ("aer:ibm_fez",)


@pytest.mark.parametrize(
    ("device", "text", "reason"),
    [
        ("aer:ibm_fez", "-1", "from 0 to 1000, or measured"),
        ("aer:ibm_fez", "nan", "from 0 to 1000, or measured"),
        ("aer:ibm_fez", "much", "from 0 to 1000, or measured"),
        ("exact", "2", "must come with aer:<device>"),
        ("ibm:ibm_fez", "2", "must come with aer:<device>"),
        ("aer:ionq_forte_enterprise", "measured", "no public result to judge by"),
    ],
)
def test_what_cannot_be_scaled_is_refused(device, text, reason):
    with pytest.raises(ValueError, match=reason):
        scaled_devices(device, text)


def test_a_bad_suffix_is_no_device():
    with pytest.raises(UnknownBackendError):
        get_backend("engine:ibm_fez+noise=-2")


def test_depth_scales_logarithms_of_success_vendor_by_vendor():
    compiled = Compiled(seed=0, success=0.5, two_qubit_share=0.6, two_qubit_errors=0.3)
    assert with_noise(compiled, 2.0).success == 0.25
    low, high = vendor_scales("measured")
    assert (low("ibm"), high("ibm")) == noise_scales("measured", "ibm")
    assert low("rigetti") == high("rigetti") == 1.0


def test_helios_has_the_published_figures_and_says_so(circuit):
    plain, memory = (load_snapshot(f"quantinuum_helios{end}") for end in ("", "_memory"))
    assert plain.n_qubits == 98
    assert len(plain.usable_couplings) == 98 * 97 // 2
    assert plain.median_two_qubit_error() == 7.9e-4
    assert plain.median_readout_error() == 3.3e-4
    for device in (plain, memory):
        assert "from published figures" in device.source
        assert "from published figures" in device.processor
    assert "assumption" in memory.source
    assert "assumption" not in plain.source
    # a layer's wait flips the phase with probability 2e-4
    layer = memory.gates[-1].duration_s
    assert (1 - np.exp(-layer / memory.qubits[0].t2_s)) / 2 == pytest.approx(2e-4, rel=1e-3)
    found = get_backend("engine:quantinuum_helios").compile(circuit).predicted_success
    assert found == pytest.approx((1 - 7.9e-4) ** 2 * (1 - 3.3e-4) ** 3, abs=2e-4)


def test_a_static_z_angle_biases_what_is_symmetric_and_nothing_by_default():
    noise = NoiseOptions(static_z_rad=0.05)
    labels = range(400)
    drawn = np.array([noise.static_z(label) for label in labels])
    assert drawn.std() == pytest.approx(0.05, rel=0.15)
    assert abs(drawn.mean()) < 0.01
    assert drawn.tolist() == [noise.static_z(label) for label in labels]
    assert NoiseOptions().static_z(3) == 0.0
    with pytest.raises(ValueError, match="static_z_rad"):
        NoiseOptions(static_z_rad=-1.0)


def test_the_static_angle_of_a_gate_is_that_of_its_qubit():
    # |+> with a two-qubit gate and back: P(1) = sin^2(angle / 2), by hand
    snapshot = line_device(2)
    noise = NoiseOptions(gates=0, idle=0, readout=0, static_z_rad=0.3)
    backend = EngineBackend(snapshot, noise=noise)
    qc = QuantumCircuit(2, 2)
    qc.h(0)
    qc.cz(0, 1)
    qc.h(0)
    qc.measure([0, 1], [0, 1])
    found = backend.probabilities(backend.compile(qc), np.empty((1, 0)))[0]
    angles = [noise.static_z(label) for label in snapshot.labels]
    likely = [np.sin(angle / 2) ** 2 for angle in angles]
    assert min(abs(found[1] - p) for p in likely) < 1e-9
