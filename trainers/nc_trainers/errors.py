"""The one error that the trainers raise for a mistake of their user's."""


class TrainerError(Exception):
    """A request that cannot be carried out, told in one line that names what to change."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
