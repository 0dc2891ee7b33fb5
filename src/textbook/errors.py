"""The exception for mistakes of the user, and the text of other errors in its message."""


class UserError(ValueError):
    """A mistake that the user can correct.

    The message is one line that names the file or key, what is wrong, and what is allowed. Line breaks in it, which may
    come from a user's file or a library, become blanks.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


def first_line(error: BaseException) -> str:
    """The first line of an error that is not empty, for a message; the name of its class if there is none."""
    return next((line for line in map(str.strip, str(error).splitlines()) if line), type(error).__name__)
