"""Turn a map into a picture; and enlarge a picture by SRCNN, as it was published.

    python examples/05_rendered_map.py [out folder]

Pictures are for eyes: no number can be read off them again, and no2sr refuses them as data.
"""

# %% Render: colours, limits and legend are the same for every map of no2sr.
import sys
from pathlib import Path

import no2sr
from no2sr.core.door import choose_variable
from no2sr.views.rendering import draw_legend
from no2sr.writers.pictures import write_picture

root = Path(__file__).parents[1]
out = Path(sys.argv[1] if len(sys.argv) > 1 else root / "out")
out.mkdir(parents=True, exist_ok=True)
file = root / "sample_data" / "simulated_no2_l3_monthly.nc"
coarse = choose_variable(no2sr.open_no2(file, bbox=(79, 24, 83, 27)))
picture = no2sr.render(coarse)
print(write_picture(picture, out / "rendered.png", overwrite=True))
print(write_picture(draw_legend(picture), out / "rendered_legend.png", overwrite=True))

# %% Enlarge the picture: luminance by a network, chroma by bicubic interpolation.
larger = no2sr.enhance(picture, scale=3)
print(write_picture(larger, out / "enhanced.png", overwrite=True))

# %% With the data at hand, downscale those instead, and render the result.
fine = no2sr.downscale(coarse, scale=3)
shown = no2sr.render(fine, limits=picture.attrs["no2sr_limits"])
print(write_picture(shown, out / "downscaled.png", overwrite=True))
