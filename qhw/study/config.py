"""What a noise study is: one YAML file, checked whole before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from backends.checks import MAX_SIMULATED_SHOTS
from calibration.noise import NoiseOptions
from qhw.analysis.compare import check_prior
from qhw.analysis.result import PLAIN, Mitigation, Preparation
from qhw.yaml_files import read_yaml

Source = Literal[
    "gates", "depolarising", "gate_relaxation", "idle", "readout", "coherent_zz", "detuning"
]
"""A source of noise; ``gates`` is ``depolarising`` and ``gate_relaxation`` together."""
BudgetMode = Literal["only", "without"]
StudyTask = Literal["generate", "reconstruct"]
Simulator = Literal["engine", "aer"]
Factor = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Shots = Annotated[int, Field(ge=1, le=MAX_SIMULATED_SHOTS)] | Literal["infinite"]
Whole = Annotated[int, Field(ge=0, lt=2**63)]
"""A seed, as far as torch and the table count."""

_OPTIONAL: tuple[Source, ...] = ("coherent_zz", "detuning")


class ConfigError(ValueError):
    """A study's file is missing or wrong; one line says where."""


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


class StudyConfig(_Frozen):
    """A sweep: every combination of the lists below.

    Attributes:
        name: of the study and its folder.
        models: shipped names or checkpoint files.
        devices: names of calibration snapshots, or their files.
        scales: factors on all noise; 1 is as reported, 0 is none.
        budget: sources on and off; ``None`` for none.
        shots: of each circuit; ``infinite`` for no shot noise.
        mitigation: ``none``, ``readout``, or pipelines, the strongest last; shots are for
            everything a pipeline runs.
        task: ``generate`` (latents to molecules) or ``reconstruct`` (the whole way).
        molecules: rows of each cell.
        layout_seeds: seeds of the transpiler.
        seeds: of latents, molecules, draws and shots.
        preparation: how amplitudes are loaded.
        prior: of ``generate``; the default one for ``None``.
        draw: vMF draw of ``reconstruct``.
        extra: coherent noise.
        simulator: ``engine`` (ours) or ``aer``; they agree to rounding.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    models: tuple[str, ...]
    devices: tuple[str, ...]
    scales: tuple[Factor, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
    budget: Budget | None = None
    shots: tuple[Shots, ...] = (10_000,)
    mitigation: tuple[Mitigation, ...] = ("none", "readout")
    task: StudyTask = "generate"
    molecules: Annotated[int, Field(ge=3)] = 50
    layout_seeds: tuple[Whole, ...] = (0,)
    seeds: tuple[Whole, ...] = (0,)
    preparation: Preparation = "brickwork"
    prior: str | None = None
    draw: bool = True
    extra: Extra = Extra()
    simulator: Simulator = "engine"

    _lists = field_validator(
        "models", "devices", "scales", "shots", "mitigation", "layout_seeds", "seeds"
    )(_a_set)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_prior(self.prior)
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
    try:
        data = read_yaml(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{path} must be YAML, but: {error}") from error
    try:
        return StudyConfig.model_validate(data)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise ConfigError(f"{path} must describe a noise study, but {faults}") from error
