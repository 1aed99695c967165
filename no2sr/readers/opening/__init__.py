"""From paths to one scene: `open_no2` and `grid`."""
