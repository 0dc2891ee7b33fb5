"""The one exception that is meant for the user."""


class UserError(ValueError):
    """A mistake that the user can mend.

    The message is one line: what was wrong, in which file or key, and what is allowed.
    """
