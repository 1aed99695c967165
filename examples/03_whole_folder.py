"""Make a finer GeoTIFF of every file in a folder; one bad file does not stop the others.

python examples/03_whole_folder.py [in folder] [out folder]
"""

# %% The same as: no2sr downscale sample_data/*.nc sample_data/*.tif out/ --scale 2
import sys
from pathlib import Path

import no2sr
from no2sr.core.door import choose_variable

here = Path(__file__).parent
source = Path(sys.argv[1] if len(sys.argv) > 1 else here.parent / "sample_data")
out = Path(sys.argv[2] if len(sys.argv) > 2 else here.parent / "out")
out.mkdir(exist_ok=True)

# %% The model is loaded once and used for every file.
model = no2sr.load_model("srcnn", scale=2)
for path in sorted([*source.glob("*.nc"), *source.glob("*.tif")]):
    try:
        coarse = choose_variable(no2sr.open_no2(path))
        fine = no2sr.downscale(coarse, scale=2, model=model)
        written = no2sr.write(
            fine, out / f"{path.stem}_x2.tif", overwrite=True, unit="umol", style=True
        )
    except no2sr.No2srError as error:
        print(f"{path.name}: {error}")
    else:
        print(f"{path.name}: {written.name}")
