"""Things of one's own under a name: kinds of models, priors, techniques, backends."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal, TypeVar, overload

from calibration.plugins import Table

Noun = Literal["models", "priors", "techniques", "backends"]
T = TypeVar("T")

_TABLES: dict[str, str] = {
    "models": "qhw.models.registry:KINDS",
    "priors": "qhw.latent.registry:PRIORS",
    "techniques": "qhw.mitigation.registry:TECHNIQUES",
    "backends": "backends.registry:BACKENDS",
}


@overload
def register(noun: Noun, name: str, thing: T) -> T: ...
@overload
def register(noun: Noun, name: str) -> Callable[[T], T]: ...


def register(noun: Noun, name: str, thing: Any = None) -> Any:
    """Offer a thing of one's own under a name, in this process.

    A package offers the same thing in every process by an entry point of the group ``qhw.models``,
    ``qhw.priors``, ``qhw.techniques`` or ``qhw.backends``. Noise studies work in processes of their
    own and know only what packages offer.

    Args:
        noun: ``models``: a class of :class:`qhw.models.base.Model` whose ``kind`` is the name;
            ``priors``: a class with ``fitted(model, molecules, seed)``, see
            :class:`qhw.latent.priors.PriorKind`; ``techniques``: a function of words and options,
            ``mine(3,share=0.1)`` calls it with ``["3"], {"share": "0.1"}``, that makes a
            :class:`qhw.Technique`; ``backends``: a function of what follows the colon that makes a
            :class:`backends.base.Backend`.
        name: lower-case letters and digits; dots, dashes and underscores too but for techniques.
        thing: left out to decorate it.

    Returns:
        The thing.

    Raises:
        ValueError: no such noun, a name that cannot be one or is taken, or a thing that cannot be
            called.

    Example:
        >>> @register("techniques", "example")
        ... def example(words, options):
        ...     return my_package.Example(int(words[0]))
    """
    if noun not in _TABLES:
        raise ValueError(f"Argument `noun` must be one of {', '.join(_TABLES)}, but is {noun!r}")
    if thing is None:
        return lambda decorated: register(noun, name, decorated)
    table(noun).register(name, thing)
    return thing


def table(noun: str) -> Table:
    """What there is of a noun; nothing that is in it is imported."""
    module, _, attribute = _TABLES[noun].partition(":")
    found: Table = getattr(import_module(module), attribute)
    return found


def tables() -> tuple[Table, ...]:
    """All of them."""
    return tuple(map(table, _TABLES))
