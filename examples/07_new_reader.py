"""A reader of your own: tables ``lon,lat,no2`` in CSV, as a plug-in of no2sr.

    python examples/07_new_reader.py

Put the class into a package of yours and name it in that package's ``pyproject.toml``::

    [project.entry-points."no2sr.readers"]
    csv_table = "your_package.new_reader:READER"
"""

# %% The port: a name, what it is for, whether a file is one of its own, and the grid in it.
import tempfile
from pathlib import Path

import pandas as pd

import no2sr
from no2sr.readers.port import ReadOptions

HEADER = b"lon,lat,no2"


class CsvTable:
    """Rows of cell centres and columns; cells that are not there are gaps."""

    name = "csv_table"
    product = "table of lon, lat, no2 in CSV"

    def recognises(self, path: Path) -> bool:
        """Look at the contents, not at the name: people rename files."""
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return stream.read(len(HEADER)) == HEADER

    def read(self, path: Path, options: ReadOptions):  # noqa: ARG002 - every reader is told
        """Return the grid as it is: no2sr sees to directions, longitudes and the unit."""
        table = pd.read_csv(path).set_index(["lat", "lon"])
        grid = table.to_xarray()  # cells without a row become NaN
        grid["no2"].attrs["units"] = "1e15 molecules cm-2"  # what the file says, or what is known
        if "no2_uncertainty" in grid:  # a companion: it goes the way of the column
            grid["no2_uncertainty"].attrs["units"] = grid["no2"].attrs["units"]
        grid["lat"].attrs["units"] = "degrees_north"
        grid["lon"].attrs["units"] = "degrees_east"
        return grid.assign_attrs(source=f"a table, {path.name}")


READER = CsvTable()

# %% See it work.
if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "delhi.csv"
        cells = [(77 + i / 10, 28 + j / 10, 5 + i * j / 4) for i in range(12) for j in range(12)]
        path.write_text("\n".join([HEADER.decode(), *(f"{x},{y},{v}" for x, y, v in cells)]))
        print(READER.product, READER.recognises(path))
        coarse = READER.read(path, ReadOptions())  # installed: no2sr.open_no2(path)
        print(no2sr.downscale(coarse, scale=4)["no2"])
