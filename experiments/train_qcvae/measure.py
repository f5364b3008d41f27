"""Hit rates of a trained conditional model, written into its card beside what training measured.

python experiments/train_qcvae/measure.py TRAINED CONTROL OUT PROPERTY=VALUES
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from qhw.analysis.hits.hit_rate import Question, as_json, asked_conditions, hit_rates
from qhw.chem.gap import surrogate
from qhw.models.checkpoint import load, save
from qhw.models.conditions import WINDOWS, scales_of
from qhw.models.exact import ExactModel

SAMPLES, PRIOR, SEED = 2000, "posterior", 1


def main(trained: str, control: str, out: str, *conditions: str) -> None:
    """Measure and write ``OUT.safetensors``, ``OUT.json`` and, beside TRAINED, ``hits.json``."""
    torch.set_num_threads(1)
    model, card = load(trained)
    metrics = dict(card.metrics)
    data = dict(card.data)
    if conditions:
        other, other_card = load(control)
        asked = asked_conditions(conditions, scales_of(model), card.name)
        question = Question(SAMPLES, PRIOR, PRIOR, SEED, WINDOWS, surrogate())
        own = ExactModel(model.double(), card.name, "measure.py")
        rates = hit_rates(own, ExactModel(other.double(), other_card.name), asked, question)
        for rate in rates:
            name = f"{rate.name}={rate.asked:g}/{rate.protocol}"
            for key, share in (("hits", rate.model), ("control", rate.control)):
                metrics[f"{name}/{key}_rate"] = share.rate.value if share.rate else None
                metrics[f"{name}/{key}_of_valid"] = float(share.known)
            metrics[f"{name}/difference_low"] = rate.difference.low if rate.difference else None
            metrics[f"{name}/difference_high"] = rate.difference.high if rate.difference else None
        (Path(trained).parent / "hits.json").write_text(json.dumps([as_json(r) for r in rates]))
        data["hit_rates"] = (
            f"{SAMPLES} latents of prior {PRIOR}, seed {SEED}, exact; half windows "
            f"{WINDOWS[rates[0].name]:g}; control {other_card.name}; Newcombe 95 %"
        )
        model, _ = load(trained)
    save(
        model,
        Path(out),
        name=card.name,
        seed=card.seed,
        training=card.training,
        data=data,
        metrics=metrics,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
