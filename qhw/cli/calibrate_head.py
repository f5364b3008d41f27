"""``qhw calibrate --head``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qhw.cli.console import emit_json, err, out, steps

if TYPE_CHECKING:
    from qhw.analysis.head.calibration import HeadCalibration, HeadSettings
    from qhw.analysis.head.measure import HeadQuote


class Paid(NamedTuple):
    """What is said of a device that costs money."""

    estimate: bool
    budget: str | None
    project: str
    again: bool


def calibrate_head_command(
    file: Path,
    model: str | None,
    device: str,
    circuit: str | None,
    options: dict[str, Any],
    seed: int,
    paid: Paid,
    *,
    as_json: bool,
) -> None:
    """Measure on a simulator, or price or pay for it on a device that takes jobs, and store it.

    Raises:
        ValueError: a value out of range, or what belongs to another kind of device.
    """
    import torch

    from backends.registry import get_backend, is_vendor
    from qhw.analysis.head.measure import measure_head
    from qhw.api.calibrating import head_settings
    from qhw.jobs.money import parse_money
    from qhw.models.checkpoint import write_atomically

    torch.set_num_threads(1)  # as `qhw compare` does
    if circuit not in (None, "decoder", "encoder"):
        raise ValueError(f"Argument `circuit` must be decoder or encoder, but is {circuit!r}")
    circuits = ("encoder", "decoder") if circuit is None else (circuit,)
    settings = head_settings(model, device, circuits, seed=seed, **options)
    if paid.budget is not None:
        parse_money(paid.budget)
    if is_vendor(device):
        if paid.estimate:
            _price(settings, as_json=as_json)
            return
        found = _pay(settings, paid, file)
    else:
        for name, given in (("estimate", paid.estimate), ("again", paid.again)):
            if given:
                raise ValueError(
                    f"Argument `{name}` must be given for a device that takes jobs, but {device} "
                    "is a simulator here"
                )
        with steps() as tell:
            found = measure_head(settings, get_backend(device), tell)
    write_atomically(file, found.to_json().encode())
    tell_head(found, file, as_json=as_json)


def tell_head(found: HeadCalibration, file: Path, *, as_json: bool) -> None:
    """Print what was stored."""
    from qhw.analysis.compare.result import REHEARSAL

    if as_json:
        emit_json(
            {
                "file": str(file),
                "sha256": found.sha256(),
                "total_shots": found.total_shots,
                **found.model_dump(mode="json", exclude={"parts"}),
                "circuits": [
                    {
                        "role": part.role,
                        "rows": len(part.counts),
                        "two_qubit_gates": part.two_qubit_gates,
                        "qubits": list(part.qubits),
                        "prediction": part.prediction and part.prediction.model_dump(mode="json"),
                    }
                    for part in found.parts
                ],
            }
        )
        return
    from qhw.report.prediction import prediction_line

    if found.rehearsal:
        out.print(REHEARSAL)
    for part in found.parts:
        out.print(
            f"{part.role}: {len(part.counts)} rows x {found.shots:,} shots, "
            f"{part.two_qubit_gates} two-qubit gates on qubits {', '.join(map(str, part.qubits))}",
            soft_wrap=True,
        )
        if part.prediction is not None:
            out.print(prediction_line(part.prediction), soft_wrap=True)
    word = "would have cost" if found.rehearsal else "cost"
    out.print(
        f"{found.total_shots:,} shots on {found.device}, {found.taken:%Y-%m-%d %H:%M} UTC; {word} "
        f"${found.usd:.2f}",
        soft_wrap=True,
    )
    out.print(f"stored in {file}", soft_wrap=True)


def _pay(settings: HeadSettings, paid: Paid, file: Path) -> HeadCalibration:
    from qhw.cli.paid import say_what_goes_on
    from qhw.paid.head import HeadRun
    from qhw.paid.kept import Paying

    command = shlex.join(["qhw", *_words(settings, file, paid)])
    run, fresh = HeadRun.asked(
        settings, Paying(paid.budget, paid.project, command), again=paid.again
    )
    with steps() as tell:
        try:
            run.send(
                lambda words: err.print(words, soft_wrap=True) if not fresh else tell(words),
                fresh=fresh,
                priced=lambda quotes: err.print(_total(quotes), soft_wrap=True),
            )
            found = run.wait(tell)
        except KeyboardInterrupt:
            say_what_goes_on(run)
            raise
    assert found is not None  # waited for without a limit
    return found


def _price(settings: HeadSettings, *, as_json: bool) -> None:
    from backends.registry import get_vendor
    from backends.vendor import is_rehearsal
    from qhw.analysis.head.measure import quote_head
    from qhw.cli.submit import REHEARSED_PRICE
    from qhw.jobs.money import show_money

    vendor = get_vendor(settings.device)
    rehearsal = is_rehearsal(vendor)
    with steps() as tell:
        quotes = quote_head(settings, vendor, tell)
    if as_json:
        emit_json(
            {
                "rehearsal": rehearsal,
                "usd": sum(quote.micro for quote in quotes) / 1e6,
                "most_usd": sum(quote.reserve_micro for quote in quotes) / 1e6,
                "total_shots": len(quotes) * settings.rows * settings.shots,
                "circuits": [
                    {"role": q.role, "jobs": len(q.jobs), "usd": q.micro / 1e6} for q in quotes
                ],
            }
        )
        return
    if rehearsal:
        out.print(REHEARSED_PRICE, soft_wrap=True)
    for quote in quotes:
        out.print(
            f"{quote.role}: {show_money(quote.micro)}, {len(quote.jobs)} "
            f"job{'s' * (len(quote.jobs) > 1)}, {quote.executions} circuits of "
            f"{quote.compiled.two_qubit_gates} two-qubit gates, {settings.shots} shots each; "
            f"{quote.basis}",
            soft_wrap=True,
        )
    out.print(_total(quotes), soft_wrap=True)


def _total(quotes: tuple[HeadQuote, ...]) -> str:
    from qhw.jobs.money import show_money

    total, most = (
        show_money(sum(getattr(quote, which) for quote in quotes))
        for which in ("micro", "reserve_micro")
    )
    return f"total: {total}; budgets must hold {most}, the most it may cost"


def _words(settings: HeadSettings, file: Path, paid: Paid) -> list[str]:
    words = ["calibrate", "--head", "--model", settings.model, "--device", settings.device]
    if len(settings.circuits) == 1:
        words += ["--circuit", settings.circuits[0]]
    for name in ("rows", "shots", "preparation", "seed"):
        words += [f"--{name}", str(getattr(settings, name))]
    if paid.budget is not None:
        words += ["--budget", paid.budget]
    return [*words, "--out", str(file)]
