"""The example of a reader of one's own: it runs, and it reads as an installed plug-in would."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from opening import open_column

from no2sr.core.image import check_image
from no2sr.readers import registry as readers
from no2sr.readers.opening.describe import describe
from no2sr.readers.port import Reader
from no2sr.readers.registry import available_readers


@pytest.fixture
def example(root, monkeypatch):
    """Install the example as a package would be."""
    spec = importlib.util.spec_from_file_location("new_reader", root / "examples/07_new_reader.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "new_reader", module)
    entry = EntryPoint("csv_table", "new_reader:READER", "no2sr.readers")
    monkeypatch.setattr(readers, "entry_points", lambda **_: [entry])
    readers._registry.cache_clear()
    yield module
    readers._registry.cache_clear()


def test_it_reads_its_files(example, tmp_path):
    assert isinstance(example.READER, Reader)
    assert "csv_table" in available_readers()
    path = tmp_path / "table.txt"
    path.write_text("lon,lat,no2\n200.5,10.5,1\n201.5,10.5,2\n200.5,11.5,3\n")
    image = check_image(open_column(path))
    per_unit = 1e15 / 6.02214076e19
    np.testing.assert_allclose(image, np.array([[3, np.nan], [1, 2]]) * per_unit, rtol=1e-6)
    assert image.rio.bounds() == (-160, 10, -158, 12)
    assert describe(path)["product"] == "table of lon, lat, no2 in CSV"


@pytest.mark.slow
def test_it_runs(root):
    done = subprocess.run(
        [sys.executable, root / "examples/07_new_reader.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "table of lon, lat, no2 in CSV True" in done.stdout
    assert "(lat: 48, lon: 48)" in done.stdout
