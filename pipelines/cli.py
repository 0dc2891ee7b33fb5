"""The command line of stages and commands: parses the arguments, and reports a user's mistake on one line."""

import errno
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer
from safetensors import SafetensorError

from textbook.errors import UserError
from textbook.params_file import load_params

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    The signature of `main` is the command's: typer parses it. A first parameter named `params` gets `params.yaml`. A
    user's mistake, in the arguments or anywhere else, ends the process with one line and exit code 1.
    """
    warnings.filterwarnings("ignore", category=FutureWarning)
    if "transformers" in sys.modules:  # its progress bars for loading weights would clutter the output
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    try:
        arguments = _parse(main)
        if arguments is not None:
            main(*([load_params()] if _takes_params(main) else []), **arguments)
    except (UserError, OSError, SafetensorError) as error:
        line = user_message(error)
        if line is None:
            raise
        sys.exit(f"error: {line}")


def user_message(error: Exception) -> str | None:
    """The message for an error that the user can fix, on one line; None for a bug, which shows its traceback."""
    if isinstance(error, UserError):
        return str(error)
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, SafetensorError):  # has the error number only in its text
        number = next((code for code in DISK_FULL if f"(os error {code})" in str(error)), None)
    return f"{error}; free some disk space and run it again: finished work is kept" if number in DISK_FULL else None


def _takes_params(main: Callable[..., None]) -> bool:
    return "params" in inspect.signature(main).parameters


def _parse(main: Callable[..., None]) -> dict[str, Any] | None:
    """The arguments of the command line for `main`; None if it asks for help.

    `main` is called outside the parser, which would turn Ctrl-C into a success.

    Raises:
        UserError: the arguments do not fit the signature of `main`.
    """
    signature = inspect.signature(main)
    arguments = [parameter for name, parameter in signature.parameters.items() if name != "params"]
    parsed: list[dict[str, Any]] = []

    def command(**values: Any) -> None:
        parsed.append(values)

    command.__doc__ = inspect.getdoc(main)
    command.__signature__ = signature.replace(parameters=arguments)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in arguments}
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(command)
    name = f"python -m {_module_of(main)}"
    try:
        typer.main.get_command(app).main(args=sys.argv[1:], prog_name=name, standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # only the errors of the argument parser have it
            raise
        raise UserError(f"{error.format_message().rstrip('.')}. See: {name} --help") from None
    return parsed[0] if parsed else None


def _module_of(main: Callable[..., None]) -> str:
    """The name of the module, as `python -m` takes it."""
    spec = getattr(sys.modules.get(main.__module__), "__spec__", None)
    return str(spec.name if spec else main.__module__).removesuffix(".__main__")
