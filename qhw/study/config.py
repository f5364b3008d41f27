"""What a noise study is: one YAML file, checked whole before anything runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from backends.checks import MAX_SIMULATED_SHOTS
from backends.exact import MAX_QUBITS
from calibration.noise import NoiseOptions
from qhw.analysis.compare.model import check_prior
from qhw.analysis.compare.settings import PLAIN, Mitigation, Preparation
from qhw.circuits.workload import Workload
from qhw.yaml_files import read_yaml

Source = Literal[
    "gates", "depolarising", "gate_relaxation", "idle", "readout", "coherent_zz", "detuning"
]
"""A source of noise; ``gates`` is ``depolarising`` and ``gate_relaxation`` together."""
BudgetMode = Literal["only", "without"]
StudyTask = Literal["generate", "reconstruct", "circuit"]
"""Of models, or a person's own circuit."""
Simulator = Literal["engine", "aer"]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Shots = Annotated[int, Field(ge=1, le=MAX_SIMULATED_SHOTS)] | Literal["infinite"]
Whole = Annotated[int, Field(ge=0, lt=2**63)]
"""A seed, as far as torch and the table count."""

STUDY_SUFFIXES = (".yaml", ".yml")
"""Of a study's file."""
_FEWEST_ROWS = 3
_OF_MODELS = ("models", "task", "molecules", "preparation", "prior", "draw", "circuit")
_OPTIONAL: tuple[Source, ...] = ("coherent_zz", "detuning")


class ConfigError(ValueError):
    """A study's file is missing or wrong; one line says where."""


def _is_none(value: object) -> bool:
    return value is None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _a_set(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values or len(set(values)) != len(values):
        raise ValueError(f"must list at least one value and none twice, but is {list(values)}")
    return values


class Budget(_Frozen):
    """Which source costs how much: the study repeated with sources on and off.

    Attributes:
        sources: looked at one by one.
        scales: noise scales at which they are.
        modes: ``only``: everything else off; ``without``: this one off.
    """

    sources: tuple[Source, ...] = ("depolarising", "gate_relaxation", "idle", "readout")
    scales: tuple[Factor, ...] = (1.0,)
    modes: tuple[BudgetMode, ...] = ("only", "without")

    _lists = field_validator("sources", "scales", "modes")(_a_set)


class Extra(_Frozen):
    """Coherent noise that no vendor reports; both are scaled like everything else.

    Attributes:
        zz_rad: ZZ angle after every two-qubit gate, radians.
        t2_star_s: T2* of quasi-static detuning, seconds; none by default.
    """

    zz_rad: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    t2_star_s: Annotated[float, Field(gt=0)] | None = None


class StudyCircuit(_Frozen):
    """A person's own circuit and its rows of angles, by what they hold.

    Attributes:
        fingerprint: of the circuit.
        angles_sha256: of the rows and their names.
    """

    fingerprint: str
    angles_sha256: str


class StudyConfig(_Frozen):
    """A sweep: every combination of the lists below.

    Attributes:
        name: of the study and its folder.
        models: shipped names or checkpoint files; of a person's own circuit its name alone.
        devices: names of calibration snapshots, or their files.
        scales: factors on all noise; 1 is as reported, 0 is none.
        budget: sources on and off; ``None`` for none.
        shots: of each circuit; ``infinite`` for no shot noise.
        mitigation: ``none``, ``readout``, or pipelines, the strongest last; shots are for
            everything a pipeline runs.
        task: ``generate`` (latents to molecules), ``reconstruct`` (the whole way), or ``circuit``
            (a person's own).
        molecules: rows of each cell, three or more.
        layout_seeds: seeds of the transpiler.
        seeds: of latents, molecules, draws and shots.
        preparation: how amplitudes are loaded.
        prior: of ``generate``; the default one for ``None``.
        draw: vMF draw of ``reconstruct``.
        extra: coherent noise.
        simulator: ``engine`` (ours) or ``aer``; they agree to rounding.
        circuit: a person's own, see :func:`circuit_study`; no file names it.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    models: tuple[str, ...]
    devices: tuple[str, ...]
    scales: tuple[Factor, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
    budget: Budget | None = None
    shots: tuple[Shots, ...] = (10_000,)
    mitigation: tuple[Mitigation, ...] = ("none", "readout")
    task: StudyTask = "generate"
    molecules: Annotated[int, Field(ge=_FEWEST_ROWS)] = 50
    layout_seeds: tuple[Whole, ...] = (0,)
    seeds: tuple[Whole, ...] = (0,)
    preparation: Preparation = "brickwork"
    prior: str | None = None
    draw: bool = True
    extra: Extra = Extra()
    simulator: Simulator = "engine"
    circuit: Annotated[StudyCircuit | None, Field(exclude_if=_is_none)] = None

    _lists = field_validator(
        "models", "devices", "scales", "shots", "mitigation", "layout_seeds", "seeds"
    )(_a_set)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_prior(self.prior)
        if (self.task == "circuit") != (self.circuit is not None):
            raise ValueError(
                "`task` must be generate or reconstruct for models, and circuit for a circuit of "
                f"one's own, but is {self.task}"
            )
        own = [text for text in self.mitigation if text not in PLAIN]
        if own and "infinite" in self.shots:
            raise ValueError(f"`shots` must be finite for mitigation {own[0]}, but has infinite")
        wanted = self.budget.sources if self.budget else ()
        given: set[Source] = set()
        if self.extra.zz_rad:
            given.add("coherent_zz")
        if self.extra.t2_star_s is not None:
            given.add("detuning")
        for source in _OPTIONAL:
            if source in wanted and source not in given:
                raise ValueError(f"`budget` must name sources that are on, but {source} is not")
        return self

    @property
    def strongest(self) -> str:
        """The mitigation that stands for a device where one must: the last that is one."""
        return next((text for text in reversed(self.mitigation) if text != "none"), "none")

    def noise(self, scale: float, mode: str = "all", source: Source | None = None) -> NoiseOptions:
        """Strength of every source.

        Args:
            scale: factor on all of them.
            mode: ``all``, ``only`` or ``without``.
            source: the one meant by the mode.
        """
        parts = ("depolarising", "gate_relaxation", "idle", "readout", "coherent_zz", "detuning")
        named = {"depolarising", "gate_relaxation"} if source == "gates" else {source}
        on = {p: (mode == "all") or ((p in named) == (mode == "only")) for p in parts}
        return NoiseOptions(
            gates=scale,
            depolarising=float(on["depolarising"]),
            gate_relaxation=float(on["gate_relaxation"]),
            idle=scale * on["idle"],
            readout=scale * on["readout"],
            coherent_zz=scale * on["coherent_zz"],
            detuning=scale * on["detuning"],
            zz_rad=self.extra.zz_rad,
            t2_star_s=self.extra.t2_star_s,
        )


def read_config(path: Path) -> StudyConfig:
    """Read a study's YAML file.

    Raises:
        ConfigError: it cannot be read, is not YAML, or does not fit; one line names the fields.
    """
    return _checked(read_sweep(path), str(path))


def read_sweep(path: Path) -> Any:
    """What a study's YAML file says, not checked yet.

    Raises:
        ConfigError: it cannot be read, or is not YAML.
    """
    try:
        return read_yaml(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} must be YAML, but: {error}") from error


def circuit_study(workload: Workload, sweep: Any, where: str = "the options") -> StudyConfig:
    """A study of a person's own circuit.

    Args:
        workload: three rows of angles or more.
        sweep: fields of :class:`StudyConfig` by name: ``devices`` at least, and none that belongs
            to models.
        where: they come from.

    Raises:
        ConfigError: fields that do not fit, too few rows, or a circuit too wide to be simulated
            with noise; one line names it.
    """
    if not isinstance(sweep, Mapping):
        raise ConfigError(f"{where} must describe a noise study, but holds no fields")
    of_models = [name for name in _OF_MODELS if name in sweep]
    if of_models:
        raise ConfigError(
            f"{where} must leave out {', '.join(of_models)} beside a circuit of one's own"
        )
    if len(workload) < _FEWEST_ROWS:
        raise ConfigError(
            f"Argument `angles` must have {_FEWEST_ROWS} rows or more for a noise study (one of "
            f"the baselines is the mean of the others), but has {len(workload)}"
        )
    if workload.circuit.num_qubits > MAX_QUBITS:
        raise ConfigError(
            f"Argument `circuit` must have at most {MAX_QUBITS} qubits for a noise study, but has "
            f"{workload.circuit.num_qubits}"
        )
    own = {
        "models": (workload.name,),
        "task": "circuit",
        "molecules": len(workload),
        "circuit": {
            "fingerprint": workload.fingerprint(),
            "angles_sha256": workload.rows_sha256(),
        },
    }
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", workload.name).strip("-.")[:64]
    return _checked({"name": name or "circuit", **sweep, **own}, where)


def _checked(data: Any, where: str) -> StudyConfig:
    try:
        return StudyConfig.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"{where} must describe a noise study, but {faults}") from error
