"""The one exception that is meant for people."""


class UserError(Exception):
    """Something the user can mend. Its text says what happened, where, and what to do; several problems, several lines.

    `main` prints it without a traceback and ends with exit code 2.
    """
