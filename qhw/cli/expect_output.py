"""Expectation values and their prices, printed and written."""

from __future__ import annotations

import json
from pathlib import Path

from qhw.analysis.expect.values import ExpectQuote, Measured
from qhw.cli.console import emit_json, out
from qhw.jobs.money import show_money
from qhw.report.expectation import expectation_lines, expectation_table, write_expectation
from qhw.report.prediction_words import predicted_document, predicted_lines
from qhw.report.runfolder import run_folder


def tell_expectation(found: Measured, folder: Path | None, name: str, *, as_json: bool) -> None:
    """Write ``DIR/<name>/`` where a folder is given, and print.

    Raises:
        OutputError: the folder cannot be written.
    """
    place = written_expectation(found, folder, name)
    if as_json:
        emit_json(expectation_document(found, place))
    else:
        print_expectation(found, place)


def written_expectation(found: Measured, folder: Path | None, name: str) -> Path | None:
    """Write ``DIR/<name>/`` where a folder is given.

    Raises:
        OutputError: the folder cannot be written.
    """
    if folder is None:
        return None
    with run_folder(folder, name) as run:
        write_expectation(found, run.staging, run.id)
    return run.final


def expectation_document(found: Measured, place: Path | None) -> dict[str, object]:
    """What ``--json`` prints."""
    folder = None if place is None else str(place)
    return {**json.loads(found.result.to_json()), "folder": folder}


def print_expectation(found: Measured, place: Path | None) -> None:
    """For people."""
    out.print(expectation_table(found.result), crop=False)
    for line in expectation_lines(found.result):
        out.print(line, soft_wrap=True)
    if place is not None:
        out.print(f"report: {place / 'report.html'}", soft_wrap=True)


def quote_lines(quote: ExpectQuote) -> list[str]:
    """The estimate for people, and what real devices made of such predictions."""
    basis, jobs = quote.basis, len(quote.jobs)
    said = (
        f"estimate: {show_money(quote.micro)}, {jobs} job{'s' * (jobs > 1)}, "
        f"{quote.executions} circuits "
        f"of {quote.program.compiled.two_qubit_gates} two-qubit gates"
        f"{'' if quote.program.pipeline.circuits == 1 else ' and more'}, "
        f"{quote.program.total_shots:,} shots in all; budgets must hold "
        f"{show_money(quote.reserve_micro)}, the most it may cost; {basis}"
    )
    return [said, *predicted_lines(quote.program.compiled)]


def quote_document(quote: ExpectQuote, *, rehearsal: bool) -> dict[str, object]:
    """The estimate for JSON, money in US dollars."""
    program = quote.program
    return {
        "rehearsal": rehearsal,
        "usd": quote.micro / 1e6,
        "most_usd": quote.reserve_micro / 1e6,
        "jobs": len(quote.jobs),
        "circuits": quote.executions,
        "bases": [group.basis for group in program.groups],
        "total_shots": program.total_shots,
        "two_qubit_gates": program.compiled.two_qubit_gates,
        "mitigation": str(program.pipeline),
        "needs": list(program.pipeline.needs),
        "qpu_seconds": [job.cost.qpu_seconds for job in quote.jobs],
        "basis": quote.basis,
        **predicted_document(program.compiled),
    }
