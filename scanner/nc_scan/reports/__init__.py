"""Reports: pure functions of a scan's result."""
