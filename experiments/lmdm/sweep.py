"""What a sweep of a property did to molecules of the same noise.

qhw lmdm sample --model MODEL --samples 100 --sweep gap=4500:9000:6 --out runs
python experiments/lmdm/sweep.py runs/<run> CLASSIFIER gap

For each value asked for: what the classifier finds on average, with its 95 % interval over noises,
and how many molecules are valid by EDM's rules. Then the share of noises whose answers rise from
the first value to the last.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from qhw.chem.edm import judge_edm
from qhw.chem.whole_sdf import read_whole_sdf
from qhw.lmdm.data import PROPERTIES
from qhw.lmdm.properties import PropertyNetwork
from qhw.models.checkpoint import load


def main(run: Path, classifier: str, name: str) -> None:
    """Print a line a value."""
    told = json.loads((run / "result.json").read_text(encoding="utf-8"))
    drawn = read_whole_sdf(run / "molecules.sdf").geometries
    model = load(classifier)[0]
    assert isinstance(model, PropertyNetwork)
    place = [c.name for c in model.config.properties].index(name)
    asked = [one[name] for one in told["conditions"]]
    found = model.predict(drawn)[:, place].reshape(len(asked), told["samples"])
    valid = judge_edm(drawn).valid.reshape(found.shape)
    print(f"| {name} asked for ({PROPERTIES[name][2]}) | found | valid, % |\n| --- | --- | --- |")
    for value, values, good in zip(asked, found, valid, strict=True):
        half = 1.96 * values.std(ddof=1) / math.sqrt(len(values))
        middle = values.mean()
        shown = f"{middle:.4g} [{middle - half:.4g}, {middle + half:.4g}]"
        print(f"| {value:g} | {shown} | {100 * good.mean():.0f} |")
    rises = np.mean(found[-1] > found[0])
    print(f"{100 * rises:.0f} % of {told['samples']} noises rise from the first to the last value")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
