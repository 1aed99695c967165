"""Third law: however the work is cut up, the result is the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scenes import FEW, LAW, NETWORKS, SCALES, images, spread_of

from no2sr import downscale
from no2sr.networks.engines.make import make_engine
from no2sr.networks.inference import super_resolve
from no2sr.networks.store import load_model


@LAW
@given(images(least=18, most=40), SCALES, NETWORKS, st.integers(5, 90))
def test_tiled_is_whole(image, scale, network, tile):
    model = load_model(network, scale=scale)
    block = np.pad(image.values, model.card.halo, mode="symmetric")
    engine = make_engine(model)
    whole = super_resolve(block, model.card, engine, tile=10_000)
    tiled = super_resolve(block, model.card, engine, tile=tile)
    np.testing.assert_allclose(tiled, whole, atol=1e-6 * max(spread_of(image), 1e-30))


@FEW
@given(
    images(times=True),
    SCALES,
    st.tuples(st.integers(1, 3), st.integers(1, 25), st.integers(1, 25)),
    st.sampled_from(["pad", "shave"]),
)
def test_chunked_is_whole(image, scale, chunks, edges):
    halo = load_model("srcnn", scale=scale).card.halo
    if min(image.shape[-2:]) <= 2 * halo:
        edges = "pad"
    whole = downscale(image, scale=scale, edges=edges)
    sizes = dict(zip(image.dims, chunks, strict=True))
    parts = downscale(image.chunk(sizes), scale=scale, edges=edges)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-6 * max(spread_of(image), 1e-30))
    assert parts.rio.transform() == whole.rio.transform()
