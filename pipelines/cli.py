"""The command line of stages and commands: parses the arguments, and reports a user's mistake on one line."""

import inspect
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from io import TextIOWrapper
from typing import Any

import typer

from pipelines.messages import user_message
from pipelines.planning.times import timed
from textbook.errors import UserError
from textbook.params_file import load_params

ITEM = "@"
"""An argument that stands for the item of a stage. In `dvc.yaml`, a name of the user's is never part of a command: the
shell would run what is in it."""


def run(main: Callable[..., None]) -> None:
    """Call `main` with the arguments of the command line.

    The signature of `main` is the command's: typer parses it. A first parameter named `params` gets `params.yaml`. A
    user's mistake, in the arguments or anywhere else, ends the process with one line and exit code 1, and so does
    Ctrl-C. Characters that the terminal's encoding lacks are replaced. How long a stage took is noted, for the next
    plan.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # standard error never fails: Python escapes them there
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.formatwarning = _one_line_warning
    if "transformers" in sys.modules:  # its progress bars for loading weights would clutter the output
        sys.modules["transformers"].utils.logging.disable_progress_bar()
    try:
        arguments = _parse(main)
        stage = os.environ.get("DVC_STAGE")
        if arguments is not None:
            with timed(stage) if stage else nullcontext():
                main(*([load_params()] if _takes_params(main) else []), **arguments)
    except KeyboardInterrupt:
        sys.exit("stopped; run the same command again to go on")
    except Exception as error:
        line = user_message(error)
        if line is None:
            raise
        sys.exit(f"error: {line}")


def _one_line_warning(message: Warning | str, *_place: object, **_line: object) -> str:
    """A warning as the user sees it: what it says, without the place in the code."""
    return f"warning: {message}\n"


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
        words = [_item() if word == ITEM else word for word in sys.argv[1:]]
        typer.main.get_command(app).main(args=words, prog_name=name, standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # only the errors of the argument parser have it
            raise
        raise UserError(f"{error.format_message().rstrip('.')}. See: {name} --help") from None
    return parsed[0] if parsed else None


def _item() -> str:
    """The item of the stage that DVC is running, such as `films` of `task@films`.

    Raises:
        UserError: DVC is not running a stage with an item.
    """
    item = os.environ.get("DVC_STAGE", "").partition(ITEM)[2]
    if not item:
        raise UserError(f"{ITEM}: stands for the item of a stage that DVC runs; give its name instead")
    return item


def _module_of(main: Callable[..., None]) -> str:
    """The name of the module, as `python -m` takes it."""
    spec = getattr(sys.modules.get(main.__module__), "__spec__", None)
    return str(spec.name if spec else main.__module__).removesuffix(".__main__")
