"""The exception for mistakes of the user."""


class UserError(ValueError):
    """A mistake that the user can correct.

    The message is one line that names the file or key, what is wrong, and what is allowed.
    """
