"""Pictures, plots and reports. Colours exist only here; no colour becomes data again."""
