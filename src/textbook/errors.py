"""The exception for mistakes of the user."""


class UserError(ValueError):
    """A mistake that the user can correct.

    The message is one line that names the file or key, what is wrong, and what is allowed. Line breaks in it, which may
    come from a user's file or a library, become blanks.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))
