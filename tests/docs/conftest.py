from tests.cli.conftest import braket, ibm, own_home

__all__ = ["braket", "ibm", "own_home"]
