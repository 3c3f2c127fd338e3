"""The steps of a graph as patterns look at them: who writes a value, who reads it, what is constant."""

from collections import Counter

from torch import Tensor

from nc_scan.graph.nodes import Step
from nc_scan.graph.registry import ONNX, Operator


class Steps:
    """The steps of a graph in order, with who writes and how many read each value."""

    def __init__(self, steps: list[Step], constants: dict[str, Tensor], kept: set[str]) -> None:
        self.steps = steps
        self.constants = constants
        self._writers = {name: step for step in steps for name in step.outputs}
        self._readers = Counter(name for step in steps for name in [*(s.name for s in step.sources), *step.captured])
        self._readers.update(kept)
        self._gone: set[int] = set()

    def writer(self, name: str | None, *operators: str) -> Step | None:
        """The step that writes `name`, if it is one of `operators` and nothing else reads the value."""
        step = self._writers.get(name or "")
        if step is None or step.operator.domain != ONNX or step.operator.name not in operators:
            return None
        return step if self._readers[name or ""] == 1 else None

    def constant(self, step: Step, position: int) -> Tensor | None:
        """The constant that enters a step at `position`."""
        return self.constants.get(input_name(step, position) or "")

    def integers(self, step: Step, position: int, attribute: str) -> list[int] | None:
        """Constant integers that enter a step at `position` or, in early versions, as an attribute."""
        values = self.constant(step, position)
        given: list[int] | None = step.attributes.get(attribute)
        return given if values is None else [int(value) for value in values.flatten().tolist()]

    def add(self, name: str, value: Tensor) -> str:
        """Adds a constant under a name of its own."""
        while name in self.constants or name in self._writers:
            name += "'"
        self.constants[name] = value
        return name

    def fuse(self, last: Step, operator: Operator, *absorbed: Step, **changes: object) -> None:
        """Makes `last` compute what it and the `absorbed` steps computed."""
        self._gone.update(id(step) for step in absorbed)
        vars(last).update(operator=operator, **changes)

    def remaining(self) -> list[Step]:
        """The steps that have not been absorbed."""
        return [step for step in self.steps if id(step) not in self._gone]


def input_name(step: Step, position: int) -> str | None:
    """The name of the value that enters a step at `position`."""
    return next((source.name for source in step.sources if source.position == position), None)
