"""The options that say what is compared with exact: a model's task, or circuits of one's own."""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backends.registry import check_name
from qhw.cli.bind import Bind
from qhw.cli.options import (
    Condition,
    Device,
    Mitigation,
    Model,
    PaidDevice,
    Precision,
    Prior,
    Probe,
    Seed,
    Shots,
    WithRaw,
)
from qhw.cli.own import (
    Angles,
    Files,
    Names,
    given,
    own_words,
    own_workload,
    valid_mitigation,
)
from qhw.cli.precision import read_precision
from qhw.defaults import DEFAULT_DEVICE, default_task

if TYPE_CHECKING:
    from qhw.analysis.compare.settings import MeasureSettings, Settings
    from qhw.analysis.precision.asked import Precision as Wanted
    from qhw.paid.asked import Asked

_OF_MODELS = (
    "model",
    "molecules",
    "task",
    "preparation",
    "prior",
    "kappa",
    "draw",
    "input_file",
    "head",
    "condition",
)
_NOT_TYPED = {"model", "circuit", "fingerprint", "angles_sha256", "rows", "workload_sha256"}
"""Settings that stand otherwise on a command line."""


@dataclass(frozen=True)
class Line:
    """What a command line asks for.

    Attributes:
        asked: the comparison.
        origin: words that name the model or the circuits.
        typed: options that were typed rather than left to their defaults.
        wanted: precision that shots are yet to be planned for.
    """

    asked: Asked
    origin: tuple[str, ...]
    typed: frozenset[str] = frozenset()
    wanted: Wanted | None = None

    @property
    def settings(self) -> Settings | MeasureSettings:
        """Of the comparison."""
        return self.asked.settings

    def on(self, device: str) -> Line:
        """The same comparison on another device."""
        settings = self.settings.model_copy(update={"device": device})
        changed: Any = {"settings": settings}
        return Line(replace(self.asked, **changed), self.origin, wanted=self.wanted)

    def having(self, asked: Asked) -> Line:
        """The same with its shots planned."""
        return replace(self, asked=asked, wanted=None)

    def command(self, name: str = "compare") -> str:
        """The command, ``qhw compare`` or another with its options, that asks for the same."""
        given = self.settings.model_dump(exclude_defaults=True, exclude=_NOT_TYPED)
        if "counts" in given:  # they say what was done
            given.pop("shots")
            given = {k: v for k, v in given.items() if (k, v) != ("device", "unknown")}
        if "precision" in given:  # shots follow from it
            given.pop("shots", None)
        words = ["qhw", name, *self.origin]
        for key, value in given.items():
            if key == "draw":
                words += ["--no-draw"]
            elif key in ("with_raw", "probe"):
                words += [f"--{key.replace('_', '-')}"]
            elif key == "condition":
                words += [word for text in value for word in ("--condition", text)]
            elif key == "calibrations":
                words += [word for path in value for word in ("--calibration", path)]
            elif key == "qubits":
                words += ["--qubits", ",".join(map(str, value))]
            else:
                words += [f"--{key.replace('_', '-')}", str(value)]
        return shlex.join(words)


def asked_line(
    ctx: typer.Context,
    files: Files = None,
    angles: Angles = None,
    names: Names = None,
    bind: Bind = None,
    model: Model = None,
    device: Device = DEFAULT_DEVICE,
    shots: Shots = 100_000,
    precision: Precision = None,
    molecules: Annotated[int, typer.Option(help="Rows compared of a model, two or more.")] = 20,
    task: Annotated[
        str | None,
        typer.Option(
            help="reconstruct (end to end on the device), generate or encode.",
            show_default="reconstruct, or generate with --prior",
        ),
    ] = None,
    seed: Seed = 0,
    mitigation: Mitigation = "readout",
    with_raw: WithRaw = False,
    preparation: Annotated[
        str, typer.Option(help="How amplitudes are loaded: brickwork (shallow, fitted) or exact.")
    ] = "brickwork",
    prior: Prior = None,
    kappa: Annotated[
        float | None,
        typer.Option(help="Of reconstruct's von Mises-Fisher draw; default: the model's."),
    ] = None,
    draw: Annotated[
        bool, typer.Option("--draw/--no-draw", help="Draw, or decode the mean direction itself.")
    ] = True,
    input_file: Annotated[
        Path | None, typer.Option("--input", help="SDF of molecules for encode and reconstruct.")
    ] = None,
    condition: Condition = None,
    calibration: Annotated[
        list[str] | None,
        typer.Option(help="File of `qhw calibrate` for the readout correction; may be repeated."),
    ] = None,
    probe: Probe = False,
    head: Annotated[
        Path | None,
        typer.Option(
            help="File of `qhw calibrate --head`: refitted read-outs beside the model's own."
        ),
    ] = None,
) -> Line:
    """What the options ask for; absolute paths, since a run may be taken up from another folder.

    Raises:
        ValueError: a value out of range, or what does not go together.
    """
    from qhw.analysis.compare.settings import Asked, Settings
    from qhw.analysis.precision.asked import UNPLANNED

    reads = not files and (task or default_task(prior)) in ("encode", "reconstruct")
    wanted = read_precision(ctx, precision, "distance", angles=reads)
    shared = {
        "device": device,
        "shots": shots if wanted is None else UNPLANNED,
        "precision": None if wanted is None else str(wanted),
        "seed": seed,
        "mitigation": mitigation,
        "with_raw": with_raw,
        "calibrations": tuple(str(Path(name).resolve()) for name in calibration or ()),
        "probe": probe,
    }
    Asked.parse(**shared)
    work = own_workload(ctx, files, angles, names, _OF_MODELS, bind)
    if work is not None:
        from qhw.analysis.compare.measure import settings_of
        from qhw.paid.asked import AskedCircuit

        if not given(ctx, "mitigation") and (valid := valid_mitigation(work)) is not None:
            shared["mitigation"] = valid
        origin = own_words(files or (), angles, names, bind)
        typed = frozenset(name for name in shared if given(ctx, name))
        return Line(AskedCircuit(settings_of(work, **shared), work), tuple(origin), typed, wanted)
    settings = Settings.parse(
        model=model or "",
        molecules=molecules,
        task=task or default_task(prior),
        preparation=preparation,
        prior=prior,
        kappa=kappa,
        draw=draw,
        input=None if input_file is None else str(input_file.resolve()),
        head=None if head is None else str(head.resolve()),
        condition=tuple(condition or ()),
        **shared,
    )
    # only what is right is worth the seconds that torch takes
    from qhw.analysis.compare.model import default_model, settled_prior
    from qhw.paid.asked import AskedModel

    model = model or default_model()
    if prior is not None or settings.task == "generate":
        prior = settled_prior(prior, model)
    settings = settings.model_copy(update={"model": model, "prior": prior})
    return Line(AskedModel(settings), ("--model", settings.model), wanted=wanted)


@functools.cache
def _options() -> Mapping[str, inspect.Parameter]:
    return inspect.signature(asked_line, eval_str=True).parameters


def takes_comparison(*, paid: bool, default: bool = True) -> Callable[[Any], Callable[..., None]]:
    """Give a command every option that says what is compared, as one ``line``.

    Args:
        paid: whether it serves devices that take jobs.
        default: whether it has a default device; what serves no simulator has none.
    """
    options = dict(_options())
    if paid:
        options["device"] = options["device"].replace(annotation=PaidDevice)
    if not default:
        options["device"] = options["device"].replace(default=inspect.Parameter.empty)

    def taking(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.name != "line"]

        @functools.wraps(command)
        def wrapped(**given: Any) -> None:
            check_name(given["device"], simulators=default, vendors=paid)
            mine = {name: value for name, value in given.items() if name not in options}
            command(line=asked_line(**{name: given[name] for name in options}), **mine)

        parameters = [p.replace(kind=p.KEYWORD_ONLY) for p in (*options.values(), *own)]
        wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped

    return taking
