"""Molecules as SDF text."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from qhw.chem.bonds import bond_graph, distances, exceeds_valence
from qhw.chem.charges import Charges, formal_charges
from qhw.chem.molecule import MoleculeBatch
from qhw.chem.orders import distance_orders
from qhw.chem.rdkit_build import build, with_positions


def to_rdkit(
    types: NDArray[np.int8], positions: NDArray[np.float64], charges: Charges | None = None
) -> Chem.Mol:
    """One molecule with its geometry, unsanitised, so that broken geometries pass as well.

    Bonds and formal charges are those of the strict protocol; orders follow the bond lengths
    unless an atom has too many neighbours: then all are single.

    Args:
        types: ``(n,)``, index into C N O F; n may be 0.
        positions: ``(n, 3)`` Å.
        charges: ``(n,)``, where the molecule comes with them.

    Raises:
        ValueError: lengths differ, or a position is not finite.
    """
    if positions.shape != (len(types), 3) or not np.isfinite(positions).all():
        raise ValueError(
            f"Argument `positions` must be finite and ({len(types)}, 3), "
            f"but has shape {positions.shape} or holds other values."
        )
    one = MoleculeBatch(types[None], positions[None], None if charges is None else charges[None])
    bonds = bond_graph(one, "strict")
    formal = formal_charges(one, bonds)
    if exceeds_valence(bonds, one.types, formal)[0]:
        orders = bonds[0].astype(np.int64)
    else:
        orders = distance_orders(bonds[0], types, distances(one)[0], formal[0])
    return with_positions(build(types, orders, formal[0]), positions)


def to_sdf(
    molecules: MoleculeBatch,
    *,
    names: Sequence[str] | None = None,
    properties: Mapping[str, Sequence[object]] | None = None,
) -> str:
    """SDF text of a batch, heavy atoms only, one record a molecule.

    Args:
        molecules: Å; invalid and empty molecules are written too.
        names: title line of each; default ``0``, ``1``, ...
        properties: data fields, one value a molecule; ``None`` leaves the field out.

    Raises:
        ValueError: a list of the wrong length, a name or value with a line break, or a field name
            with ``<``, ``>`` or a line break.
    """
    charges = molecules.charges
    written = [
        to_rdkit(types, positions, None if charges is None else charges[row, : len(types)])
        for row, (types, positions) in enumerate(molecules)
    ]
    return sdf_text(written, names=names, properties=properties)


def sdf_text(
    molecules: Sequence[Chem.Mol],
    *,
    names: Sequence[str] | None = None,
    properties: Mapping[str, Sequence[object]] | None = None,
) -> str:
    """SDF text of molecules of RDKit with a conformer.

    Args:
        molecules: sanitised or not.
        names: as :func:`to_sdf`.
        properties: as there.

    Raises:
        ValueError: as there.
    """
    titles = [str(k) for k in range(len(molecules))] if names is None else list(names)
    fields = {key: list(values) for key, values in (properties or {}).items()}
    _check_texts(len(molecules), titles, fields)
    stream = io.StringIO()
    writer = Chem.SDWriter(stream)
    writer.SetKekulize(False)
    for row, molecule in enumerate(molecules):
        molecule.SetProp("_Name", titles[row])
        for key, values in fields.items():
            if values[row] is not None:
                molecule.SetProp(key, str(values[row]))
        writer.write(molecule)
    writer.close()
    return stream.getvalue()


def _check_texts(count: int, titles: list[str], fields: dict[str, list[object]]) -> None:
    columns: dict[str, Sequence[object]] = {"names": titles}
    columns |= {f"properties[{key}]": values for key, values in fields.items()}
    for label, values in columns.items():
        if len(values) != count:
            raise ValueError(
                f"Argument `{label}` must have {count} entries, but has {len(values)}."
            )
        if any("\n" in str(v) or "\r" in str(v) for v in values):
            raise ValueError(f"Argument `{label}` must be free of line breaks, but is not.")
    for key in fields:
        if not key or any(c in key for c in "<>\n\r"):
            raise ValueError(
                f"Argument `properties` must have plain field names (no <, >), but has {key!r}."
            )
