"""Many overpasses: solving their footprints for one fine field."""
