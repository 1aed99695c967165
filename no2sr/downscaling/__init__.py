"""From a coarse scene to a fine one: methods, blocks and the one loop over them."""
