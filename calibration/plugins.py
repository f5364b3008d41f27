"""Things by name: the house's own, those that installed packages offer, those of this process.

A package offers a thing by an entry point, in its ``pyproject.toml``::

    [project.entry-points."qhw.models"]
    mine = "my_package.models:Mine"

Nothing is imported to list names. A package that cannot be loaded, or two that take the same name,
are told of in one line when that name is used, and break nothing else.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Any

from calibration.closest import closest, quoted

HOUSE = "qhw"
_PACKAGES = (HOUSE, "backends", "calibration")
_GROUP = f"{HOUSE}."
_NAME = r"[a-z0-9][a-z0-9_.-]*"
_LONGEST = 300
"""Characters repeated of what a package says of itself or raises."""


class PluginError(ValueError):
    """What a package offers cannot be used; the line names the package and its entry point."""


@dataclass(frozen=True)
class Offer:
    """A thing that somebody offers under a name.

    Attributes:
        group: of the entry point, such as ``qhw.models``.
        name: it is used by.
        place: ``module:attribute``.
        package: whose it is; of this process the module that registered it.
        version: of the package, empty where it has none.
        point: the entry point; ``None`` for what was registered in this process.
        thing: what was registered in this process.
    """

    group: str
    name: str
    place: str
    package: str
    version: str = ""
    point: EntryPoint | None = None
    thing: object = None

    def __str__(self) -> str:
        if self.point is None:
            return f"{self.package} ({self.place}, registered in this process)"
        return f"package {self.package} (entry point {self.name} = {self.place} of {self.group})"

    def load(self) -> object:
        """The thing.

        Raises:
            PluginError: the entry point leads to nothing, or its module fails.
        """
        if self.point is None:
            return self.thing
        try:
            return self.point.load()
        except (Exception, SystemExit) as error:
            said = f"{quoted(self.name)} of {self} cannot be loaded: {why(error)}"
            raise PluginError(said) from error


class Table:
    """What there is of one noun.

    Args:
        group: ``models``, ``priors``, ``techniques`` or ``backends``.
        noun: in errors, such as ``model kind``.
        own: the house's, ``module:attribute`` by name.
        command: that lists the names.
        grammar: of names, a regular expression.
        reserved: words that mean something else where a name may stand.
    """

    def __init__(
        self,
        group: str,
        noun: str,
        own: Mapping[str, str],
        *,
        command: str = "qhw doctor",
        grammar: str = _NAME,
        reserved: tuple[str, ...] = (),
    ) -> None:
        self.group, self.noun, self.command = _GROUP + group, noun, command
        self._own = dict(own)
        self._grammar, self._reserved = re.compile(grammar), reserved
        self._given: dict[str, Offer] = {}

    def names(self) -> tuple[str, ...]:
        """Every name that may be used, the house's first; nothing is imported."""
        others = {offer.name for offer in self.offers() if self._fault(offer.name) is None}
        return (*self._own, *sorted(others - self._own.keys()))

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._own or any(offer.name == name for offer in self.offers())

    def offers(self) -> tuple[Offer, ...]:
        """What is not the house's: of packages, then of this process."""
        installed = _scan(tuple(sys.path)).offers
        found = [offer for offer in installed if offer.group == self.group]
        places = {(offer.name, offer.place) for offer in found}
        # a module may register by a decorator what its package names in an entry point too
        found += [o for o in self._given.values() if (o.name, o.place) not in places]
        return tuple(found)

    def offer(self, name: str) -> Offer:
        """Who offers a name.

        Raises:
            PluginError: two do, or the name cannot be one.
            KeyError: nobody does.
        """
        claims = self._claims(name)
        if not claims:
            raise KeyError(name)
        fault = self._fault(name)
        if fault is not None:
            raise PluginError(f"{quoted(name)} of {claims[0]} cannot be used: {fault}")
        if len(claims) > 1:
            raise PluginError(self._taken(name, claims[0], claims[1]))
        return claims[0]

    def get(self, name: str) -> Any:
        """The thing of a name.

        Raises:
            PluginError: it cannot be loaded, or two offer it.
            KeyError: nobody does; :meth:`near` says what there is.
        """
        offer = self.offer(name)
        if not self.is_own(name):
            thing = offer.load()
            return thing if callable(thing) else self.refuse(name, "it cannot be called")
        module, _, attribute = offer.place.partition(":")
        return getattr(importlib.import_module(module), attribute)

    def call(self, name: str, make: Callable[..., Any], *arguments: object) -> Any:
        """What a function of a thing's returns.

        Raises:
            PluginError: it failed with an error that is not the house's own.
        """
        try:
            return make(*arguments)
        except Exception as error:
            if self.is_own(name) or type(error).__module__.split(".")[0] in _PACKAGES:
                raise
            return self.refuse(name, why(error), error)

    def refuse(self, name: str, fault: str, cause: BaseException | None = None) -> Any:
        """Say what is wrong with a thing.

        Raises:
            PluginError: always.
        """
        raise PluginError(
            f"{quoted(name)} of {self.offer(name)} cannot be used: {fault}"
        ) from cause

    def is_own(self, name: str) -> bool:
        """Whether a name is the house's."""
        return name in self._own

    def near(self, name: str) -> str:
        """Names like one that is not there; see :func:`calibration.closest.closest`."""
        return closest(name, self.names(), self.command)

    def register(self, name: str, thing: object) -> None:
        """Offer a thing in this process. The same definition may be registered again.

        Raises:
            ValueError: a name that cannot be one, or that is taken; or a thing that is no class
                and no function.
        """
        fault = self._fault(name)
        if fault is not None:
            raise ValueError(f"Argument `name` must be that of a {self.noun}, but {fault}")
        if not callable(thing):
            raise ValueError(
                f"Argument `thing` must be a class or a function, but is {type(thing).__name__}"
            )
        module = getattr(thing, "__module__", None) or type(thing).__module__
        place = f"{module}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"
        offer = Offer(self.group, name, place, module.partition(".")[0], thing=thing)
        for other in self._claims(name):
            if other.place != place:
                raise ValueError(
                    f"Argument `name` must be new, but {self._taken(name, other, offer)}"
                )
        self._given[name] = offer

    def _claims(self, name: str) -> list[Offer]:
        own = [Offer(self.group, name, self._own[name], HOUSE)] if name in self._own else []
        return own + [offer for offer in self.offers() if offer.name == name]

    def _taken(self, name: str, first: Offer, second: Offer) -> str:
        mine = f"package {HOUSE} itself" if self.is_own(name) else str(first)
        return f"{self.noun} {quoted(name)} is taken twice: by {mine} and by {second}"

    def _fault(self, name: str) -> str | None:
        if name in self._reserved:
            return f"{quoted(name)} means something else here"
        if self._grammar.fullmatch(name) is None:
            return f"{quoted(name)} is no name that fits {self._grammar.pattern}"
        return None


@dataclass(frozen=True)
class Scan:
    """Entry points of installed packages, and packages whose list of them cannot be read."""

    offers: tuple[Offer, ...]
    faults: tuple[str, ...]


def faults() -> tuple[str, ...]:
    """Packages whose list of entry points cannot be read, a line each."""
    return _scan(tuple(sys.path)).faults


def strays(tables: tuple[Table, ...]) -> tuple[Offer, ...]:
    """Entry points in groups that look like the house's, but are none."""
    known = {table.group for table in tables}
    return tuple(o for o in _scan(tuple(sys.path)).offers if o.group not in known)


@lru_cache(maxsize=2)
def _scan(path: tuple[str, ...]) -> Scan:
    offers: dict[tuple[str, str, str], Offer] = {}
    unread: list[str] = []
    for package in distributions(path=list(path)):
        try:
            points = [point for point in package.entry_points if point.group.startswith(_GROUP)]
        except Exception as error:
            unread.append(f"a package's entry points cannot be read: {why(error)}")
            continue
        for point in points:
            name, version = _title(package, point)
            group, key, place = map(_line, (point.group, point.name, point.value))
            offer = Offer(group, key, place, name, version, point)
            # of two copies of a package the first on the path is the one that is imported
            offers.setdefault((offer.group, offer.name, name), offer)
    return Scan(tuple(offers.values()), tuple(unread))


def _title(package: Distribution, point: EntryPoint) -> tuple[str, str]:
    try:
        name, version = package.metadata["Name"], package.metadata["Version"]
    except Exception:  # whatever a package's metadata are, the others are listed all the same
        name, version = None, None
    return _line(str(name or re.split(r"[.:\s]", point.value)[0])), _line(str(version or ""))


def why(error: BaseException) -> str:
    """An error's kind and words in one bounded line."""
    return _line(f"{type(error).__name__}: {error}".removesuffix(": "))


def _line(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."
