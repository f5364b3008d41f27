"""How often a conditional model gives what it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.text import Text

from qhw.analysis.compare.model import check_prior, drawn_prior
from qhw.analysis.hits.hit_rate import (
    HitRate,
    Question,
    as_json,
    asked_conditions,
    prior_conditions,
)
from qhw.analysis.hits.hit_rate import hit_rates as counted
from qhw.api.shown import Stored
from qhw.chem.gap import gap_estimator
from qhw.models.base import Model
from qhw.models.checkpoint import ModelCard, load
from qhw.models.conditions import ConditionScale, scales_of, window_of
from qhw.models.exact import ExactModel
from qhw.models.training_run import torch_threads
from qhw.report.hit_rates import hit_table, render_hits
from qhw.scheduler import some_scheduler

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_CONTROL = "qvae-l4"


@dataclass(frozen=True, eq=False, repr=False)
class HitRates(Stored):
    """Hits of a model beside one that is not asked, by condition, property and protocol.

    Attributes:
        title: what was generated, in words.
        model: name of the conditional model.
        control: name of the model without the condition.
        question: how hits are counted.
        rates: one a condition, property and protocol.
        digest: of the conditional model's tensors.
        command: that made it, for the page.
    """

    title: str
    model: str
    control: str
    question: Question
    rates: tuple[HitRate, ...]
    digest: str
    command: str = ""

    def document(self) -> dict[str, object]:
        """All of it but the single values, as in ``result.json``."""
        return {
            "schema_version": 1,
            "judged": self.title,
            "model": self.model,
            "control": self.control,
            "prior": self.question.prior,
            "control_prior": self.question.control_prior,
            "seed": self.question.seed,
            "hit_rates": [as_json(rate) for rate in self.rates],
        }

    def to_json(self) -> str:
        """:meth:`document` as JSON text."""
        return json.dumps(self.document())

    def to_dataframe(self) -> pd.DataFrame:
        """A line a condition, property and protocol; nested figures as ``model.hits``."""
        import pandas as pd

        return pd.json_normalize([as_json(rate) for rate in self.rates])

    def _parts(self) -> Iterable[RenderableType]:
        said = dict.fromkeys(f"{rate.name}: {rate.estimator}" for rate in self.rates)
        return [hit_table(self.rates, self.title), *map(Text, said)]

    def _write(self, folder: Path, run_id: str) -> None:
        del run_id
        text = json.dumps(self.document(), indent=1) + "\n"
        (folder / "result.json").write_text(text, encoding="utf-8")
        page = render_hits(self.rates, self.title, self.command)
        (folder / "report.html").write_text(page, encoding="utf-8")


def hit_rates(
    model: str,
    conditions: Mapping[str, float | Sequence[float]] | Sequence[str],
    *,
    control: str | None = None,
    samples: int = 1000,
    prior: str | None = None,
    windows: Mapping[str, float] | None = None,
    gap: str = "surrogate",
    seed: int = 0,
    workers: int | None = None,
    scheduler: str | None = None,
    command: str | None = None,
) -> HitRates:
    """Generate exactly under every condition and count hits under both protocols.

    Args:
        model: name or path of a conditional model, or of one whose prior takes conditions.
        conditions: values of each property, every combination of them asked for; as texts too,
            ``"logP=0,1"``.
        control: model without a condition, ``qvae-l4`` by default; of a prior that is asked it is
            always the same prior without the condition.
        samples: molecules a condition.
        prior: of the conditional model's latents, or the prior that is asked.
        windows: half width of a property's window, by default 0.5 of logP, 0.05 of QED, 0.1 of SA,
            0.5 eV of gap.
        gap: ``surrogate``, ``xtb`` or ``b3lyp``.
        seed: of the latents.
        workers: local processes that judge; none by default.
        scheduler: address of a Dask cluster that judges.
        command: what to name on the page; this call by default.

    Raises:
        ValueError: a property, value, window, prior or estimator that cannot be asked for.
        CheckpointError: a model that is unknown or damaged.

    Example:
        >>> found = hit_rates("nisq-chain5", {"logP": 1}, samples=50,
        ...                   prior="nisq-chain5-conditional")
        >>> {rate.name for rate in found.rates}
        {'logP'}
    """
    if samples < 1:
        raise ValueError(f"Argument `samples` must be >= 1, but is {samples}")
    texts = _texts(conditions) if isinstance(conditions, Mapping) else list(conditions)
    loaded, card = load(model)
    with torch_threads(1), some_scheduler(workers, scheduler) as pool:
        own, other, asked, question = _put(
            (loaded, card), control, texts, windows or {}, gap, samples, prior, seed
        )
        rates = counted(own, other, asked, question, pool)
    title = (
        f"{card.name}: {samples:,} molecules a condition, generated exactly, prior "
        f"{question.prior}; without the condition: {other.name}, prior {question.control_prior}"
    )
    said = command or f"qhw.hit_rates({model!r}, {texts})"
    return HitRates(title, card.name, other.name, question, rates, card.sha256, said)


def _texts(conditions: Mapping[str, float | Sequence[float]]) -> list[str]:
    found = []
    for name, values in conditions.items():
        several = np.atleast_1d(np.asarray(values))
        found.append(f"{name}={','.join(repr(float(value)) for value in several)}")
    return found


def _put(
    conditional: tuple[Model, ModelCard],
    control: str | None,
    texts: list[str],
    windows: Mapping[str, float],
    gap: str,
    samples: int,
    prior: str | None,
    seed: int,
) -> tuple[ExactModel, ExactModel, list[FloatArray], Question]:
    """The model, its control, the conditions and how hits are counted.

    Raises:
        ValueError: what neither the model nor its prior can be asked.
    """
    loaded, name = conditional[0], conditional[1].name
    estimator, scales = gap_estimator(gap), scales_of(loaded)
    model = ExactModel(loaded.double(), name, "hit rates")
    if scales:
        own = check_prior(prior)
        conditions = asked_conditions(texts, scales, name)
        # what p(latent | condition) is to the model, all latents are to one without a condition
        beside = "posterior" if own == "near-condition" else own
        other, card = load(control or _CONTROL)
        aside = ExactModel(other.double(), card.name, "hit rates beside it")
        widths = _windows(windows, scales)
        return model, aside, conditions, Question(samples, own, beside, seed, widths, estimator)
    if control is not None:
        raise ValueError(
            f"Argument `control` must be left out of model {name}: its prior is asked for the "
            "condition, and the control is the same prior without it"
        )
    own = check_prior(drawn_prior(prior, loaded, {}))
    scales, beside, conditions = prior_conditions(texts, model, own)
    widths = _windows(windows, scales)
    question = Question(samples, own, beside, seed, widths, estimator, prior_scales=scales)
    return model, model, conditions, question


def _windows(given: Mapping[str, float], scales: tuple[ConditionScale, ...]) -> dict[str, float]:
    """Half widths of all properties of a model.

    Raises:
        ValueError: a property the model has not, or a width that is none.
    """
    known = {scale.property for scale in scales}
    if strange := sorted(set(given) - known):
        raise ValueError(
            f"Argument `window` must be PROPERTY=HALF of {', '.join(sorted(known))}, but is of "
            f"{strange[0]!r}"
        )
    return {name: window_of(name, given.get(name)) for name in known}
