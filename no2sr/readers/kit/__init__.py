"""Helpers for readers, public so that readers in other packages can use them.

* `files`: the first bytes of a file, whether it exists, and the message if it is broken.
* `netcdf`: open NetCDF and HDF5 safely, walk through groups, describe variables.
* `bands`: the same for rasters, as GDAL sees them.
* `cf`: open a CF grid lazily and keep one variable with its companions, mask and projection.
* `column`: decide which unit values are in, and convert them and what accompanies them.
* `uncertainty`: find the uncertainties beside a column, check them, and tell noise from scatter.
* `screens`: apply the conditions that a product sets for its pixels: limits and quality.
* `pixels`: read a level 2 swath whose pixels lie in groups, from a `Layout` of paths.
* `time`: decode times and take the steps that were asked for.
* `links`: refuse HDF5 files that point outside themselves.

Which variable is the NO2 column is decided by `no2sr.core.columns.choose`.
"""
