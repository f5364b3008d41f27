"""Refitted heads beside other pipelines at equal total shots, judged by valid molecules.

    python experiments/head_calibration/run.py CONFIG --out DIR

Every finished comparison is a file in DIR, and is not run again; table.csv is written at the end.
"""

from __future__ import annotations

import argparse
import csv
import json
from datetime import datetime
from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict

import qhw
from qhw.analysis.head.calibration import HeadCalibration
from qhw.analysis.scores.molecules import wilson
from qhw.yaml_files import read_yaml

Arm = tuple[str, str, int | None]
"""Name, pipeline, and shots of each row that its head is refitted to; ``None`` for the model's."""
_RESAMPLES = 4000


class Config(BaseModel):
    """What is compared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    task: str
    molecules: int
    shots: int
    seed: int
    calibration_rows: int
    calibration_shots: tuple[int, ...]
    devices: tuple[str, ...]
    prior: str | None = None


def main() -> None:
    """Run what is not there yet, then write the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("config", type=Path)
    asked.add_argument("--out", type=Path, required=True)
    given = asked.parse_args()
    torch.set_num_threads(1)
    config = Config.model_validate(read_yaml(given.config))
    given.out.mkdir(parents=True, exist_ok=True)
    rows = [
        one
        for device in config.devices
        for one in measured(config, device, given.out / device.replace(":", "-"))
    ]
    with (given.out / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def measured(config: Config, device: str, folder: Path) -> list[dict[str, object]]:
    """A line of the table for every arm."""
    folder.mkdir(exist_ok=True)
    return [line(device, arm[0], one_arm(config, device, arm, folder)) for arm in arms(config)]


def arms(config: Config) -> list[Arm]:
    """Every pipeline by itself, then those whose head is refitted."""
    heads = [
        (f"{name} + head {config.calibration_rows} x {shots}", pipeline, shots)
        for shots in config.calibration_shots
        for name, pipeline in (("raw", "none"), ("readout", "readout"))
    ]
    plain: list[Arm] = [
        ("raw", "none", None),
        ("readout", "readout", None),
        ("default", "default", None),
    ]
    return [*plain, *heads]


def calibrated(config: Config, device: str, shots: int, file: Path) -> HeadCalibration:
    """Counts of known outcome, measured once and again when they are stale."""
    if file.exists():
        head = HeadCalibration.from_json(file.read_text(), str(file))
        if head.age().total_seconds() < 20 * 3600:
            return head
    head = qhw.calibrate_head(
        config.model,
        device,
        rows=config.calibration_rows,
        shots=shots,
        circuits=circuits(config),
        seed=config.seed,
        tell=say,
    )
    file.write_text(head.to_json())
    return head


def circuits(config: Config) -> tuple[str, ...]:
    """Those that the task runs."""
    return ("encoder", "decoder") if config.task == "reconstruct" else ("decoder",)


def one_arm(config: Config, device: str, arm: Arm, folder: Path) -> dict[str, object]:
    """Validity, row by row, of one comparison; the calibration's shots are taken from the rows'."""
    name, mitigation, known_shots = arm
    file = folder / f"{name.replace(' ', '')}.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    executions, spent, counts = config.molecules * len(circuits(config)), 0, None
    if known_shots is not None:
        counts = folder / f"head-{known_shots}.json"
        spent = calibrated(config, device, known_shots, counts).total_shots
    shots = config.shots - -(-spent // executions)
    compared = qhw.compare(
        config.model,
        device,
        task=config.task,
        molecules=config.molecules,
        shots=shots,
        mitigation=mitigation,
        seed=config.seed,
        prior=config.prior,
        head=counts,
        tell=say,
    )
    result = compared.result
    section = result.section("molecules_exact")
    assert section is not None
    source = result.molecule_source
    means = {
        metric.key: row.mean.value
        for metric in section.metrics
        for row in metric.rows
        if row.source == source and row.mean is not None
    }
    document = {
        "device": device,
        "arm": name,
        "source": source,
        "shots": shots,
        "total_shots": shots * executions + spent,
        "two_qubit_gates": [circuit.two_qubit_gates for circuit in result.circuits],
        "rmsd": means.get("rmsd"),
        "same_graph": means.get("same_graph"),
        "exact_valid": [record.exact_status == "valid" for record in result.molecules],
        "device_valid": [record.device_status == "valid" for record in result.molecules],
    }
    file.write_text(json.dumps(document))
    return document


def line(device: str, arm: str, found: dict[str, object]) -> dict[str, object]:
    """Shares with Wilson intervals, and their ratio with a bootstrap over the paired rows."""
    exact = np.array(found["exact_valid"], dtype=float)
    valid = np.array(found["device_valid"], dtype=float)
    share, whole = (wilson(int(v.sum()), len(v)) for v in (valid, exact))
    rng = np.random.default_rng(0)
    picked = rng.integers(0, len(valid), (_RESAMPLES, len(valid)))
    low, high = np.quantile(valid[picked].sum(axis=1) / exact[picked].sum(axis=1), [0.025, 0.975])
    return {
        "device": device,
        "pipeline": arm,
        "total_shots": found["total_shots"],
        "rows": len(valid),
        "exact_valid": f"{whole.value:.3f}",
        "valid": f"{share.value:.3f}",
        "valid_low": f"{share.low:.3f}",
        "valid_high": f"{share.high:.3f}",
        "of_exact": f"{valid.sum() / exact.sum():.3f}",
        "of_exact_low": f"{low:.3f}",
        "of_exact_high": f"{high:.3f}",
        "same_graph": f"{found['same_graph']:.3f}",
        "rmsd_angstrom": "" if found["rmsd"] is None else f"{found['rmsd']:.4f}",
    }


def say(words: str) -> None:
    """One step, with the time."""
    print(f"{datetime.now():%H:%M:%S} {words}", flush=True)


if __name__ == "__main__":
    main()
