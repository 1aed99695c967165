"""Open files of different products, see what is in them, and draw them.

python examples/01_open_and_look.py [out folder]
"""

# %% What is in a file, and how it would be read; on the command line: no2sr info FILE
import sys
from pathlib import Path

import no2sr
from no2sr.core.door import choose_variable
from no2sr.readers.opening.describe import describe
from no2sr.views.plotting import plot_histogram, plot_map

samples = Path(__file__).parents[1] / "sample_data"
out = Path(sys.argv[1] if len(sys.argv) > 1 else samples.parent / "out")
out.mkdir(parents=True, exist_ok=True)
files = sorted([*samples.glob("*.nc"), *samples.glob("*.tif")])
for path in files:
    facts = describe(path)
    print(f"{path.name}: {facts['product']}, {facts['kind']} of {facts['variable']}")

# %% Open one: a Dataset of the column, its uncertainties, coverage and count.
scene = no2sr.open_no2(files[0], bbox=(76, 24, 84, 29))
print(scene)

# %% The column: a plain DataArray in mol m-2, north up, gaps as NaN, with its CRS.
image = choose_variable(scene)
print(image.rio.crs, image.rio.bounds())

# %% Look at it before reading anything else: no2sr plot FILE
plot_map(image, title="simulated Sentinel-5P orbit").savefig(out / "open_map.png", dpi=100)
plot_histogram(image).savefig(out / "open_histogram.png", dpi=100)
print(out / "open_map.png")
