"""How many molecules came back as they were: the very same one, or the same connectivity."""

from __future__ import annotations

from collections.abc import Sequence

from qhw.analysis.compare.result import Agreement, MoleculeRecord, Section, SourceKey


def agreement(
    records: Sequence[MoleculeRecord], molecules: Section | None, device: SourceKey
) -> Agreement:
    """Count rows whose molecules are the same.

    Args:
        records: the rows' molecules, strict protocol.
        molecules: section that compares the device's with the exact ones.
        device: source that stands for the device.
    """
    given = any(record.input_smiles is not None for record in records)
    metric = None if molecules is None else molecules.metric("same_graph")
    row = None if metric is None else metric.row(device)
    same = [r for r in records if r.identical]
    known = [r for r in records if r.input_smiles is not None]
    return Agreement(
        rows=len(records),
        same_connectivity=0 if row is None else sum(bool(value) for value in row.values),
        device_is_exact=len(same),
        exact_is_input=sum(r.input_smiles == r.exact_smiles for r in known) if given else None,
        device_is_input=sum(r.input_smiles == r.device_smiles for r in known) if given else None,
        all_the_same=sum(r.input_smiles == r.exact_smiles for r in same) if given else None,
    )
