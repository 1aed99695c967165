"""Judge a network of your own that was made with PyTorch, by way of ONNX.

    python examples/14_pytorch_network.py [folder]

no2sr does not need PyTorch. Without it, this script writes the same graph with the package onnx.
"""

# %% The network: it sharpens the normalised image, and returns it whole. Yours is a trained one.
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import no2sr
from no2sr.simulation.scenes import scene

folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1] / "out")
folder.mkdir(parents=True, exist_ok=True)
path = folder / "sharpen.onnx"
distance = np.hypot(*np.mgrid[-4:5, -4:5])
blur = np.exp(-0.5 * (distance / 2) ** 2)
kernel = np.float32(-0.4 * blur / blur.sum())
kernel[4, 4] += 1.4

# %% Export it: one file, with open height and width.
if find_spec("torch"):
    import torch

    module = torch.nn.Conv2d(1, 1, 9, padding="same", bias=False)
    module.weight.data = torch.tensor(kernel)[None, None]
    torch.onnx.export(
        module.eval(),
        (torch.zeros(1, 1, 48, 48),),
        str(path),
        input_names=["image"],
        dynamic_shapes=({2: "y", 3: "x"},),
        external_data=False,
    )
else:
    from onnx import helper, numpy_helper

    ends = [helper.make_tensor_value_info(name, 1, [1, 1, "y", "x"]) for name in ("image", "out")]
    node = helper.make_node("Conv", ["image", "kernel"], ["out"], pads=[4, 4, 4, 4])
    weights = [numpy_helper.from_array(kernel[None, None], "kernel")]
    graph = helper.make_graph([node], "sharpen", ends[:1], ends[1:], weights)
    made = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    path.write_bytes(made.SerializeToString())

# %% The card says what the network does: a 9 x 9 kernel sees 4 pixels far and loses none.
model = no2sr.load_model(path, card={"scale": 4, "predicts": "image", "radius": 4, "shrink": 0})
table = no2sr.evaluate(scene((96, 96), seed=1), methods=["bicubic", "srcnn", model])
print(table["rmse / bicubic"].to_string())
print(no2sr.save_model(model, folder / "sharpen", overwrite=True))  # no2sr downscale --model ...
