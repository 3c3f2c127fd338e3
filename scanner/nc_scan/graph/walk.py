"""Operators by what they leave alone, for whoever follows values through a graph."""

SHAPES = frozenset({"Shape", "Size"})  # read the form of a value, not the value
RESHAPES = frozenset({"Flatten", "Reshape", "Squeeze", "Unsqueeze"})
MOVES = RESHAPES | {"Identity", "Transpose"}  # every value once, unchanged
ARRANGES = MOVES | {"Expand", "Gather", "Slice", "Tile"}  # some values, perhaps several times, unchanged
