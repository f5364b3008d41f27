from tests.saved.conftest import hostile_folder, runs_folder

__all__ = ["hostile_folder", "runs_folder"]
