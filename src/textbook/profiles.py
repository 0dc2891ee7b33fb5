"""Profiles: whole parameter files, each given by what differs from another profile.

A profile is a YAML file with some keys of `params.yaml` and `base`, the name of the profile that has the others.
`default` has all keys and no base. Sections merge key by key. Collections (assets of a kind, sources, tasks and all
other mappings with names of the user's) replace those of the base, as lists and values do.
"""

import re
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from textbook.errors import UserError
from textbook.params import Params
from textbook.params_file import check_params

DEFAULT = "default"
BASE = "base"


def render_profile(name: str, folder: Path) -> str:
    """The content of `params.yaml` for a profile, comments included.

    Args:
        folder: where the profiles are, as `<name>.yaml`.

    Raises:
        UserError: there is no such profile, one of its bases is missing or refers back to it, or the result is not a
            valid parameter file.
    """
    merged, *overlays = _chain(name, folder)
    for overlay in overlays:
        _merge(merged, overlay, Params)
    text = StringIO()
    _yaml().dump(merged, text)
    content = _one_blank_line_between_sections(text.getvalue())
    if name != DEFAULT:
        content = f"# Profile {name}: make params PROFILE={name}\n{content}"
    check_params(YAML(typ="safe", pure=True).load(content), f"profile {name}")
    return content


def profile_names(folder: Path) -> list[str]:
    """The names of all profiles in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def _chain(name: str, folder: Path) -> list[Any]:
    """The contents of a profile and its bases, the outermost base first."""
    chain: list[Any] = []
    names: list[str] = []
    while True:
        path = folder / f"{name}.yaml"
        if not path.is_file():
            known = ", ".join(profile_names(folder))
            used_by = f" (the base of {names[-1]})" if names else ""
            raise UserError(f"PROFILE = {name!r}{used_by}: must be one of {known}")
        if name in names:
            raise UserError(f"{path}: {BASE} = {name!r}: leads back to the same profile")
        try:
            content = _yaml().load(path)
        except YAMLError as error:
            raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
        if not isinstance(content, dict):
            raise UserError(f"{path}: must be a mapping with `{BASE}` and the keys that differ")
        names.append(name)
        chain.insert(0, content)
        if name == DEFAULT:
            return chain
        if BASE not in content:
            raise UserError(f"{path}: {BASE} is missing: it names the profile to start from, such as {DEFAULT}")
        name = str(content.pop(BASE))


def _merge(base: Any, overlay: Any, section: type[BaseModel]) -> None:
    """Put the values of an overlay, with their comments, into the base."""
    for key, value in overlay.items():
        field = section.model_fields.get(key)
        inner = field.annotation if field else None
        if isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(value, dict):
            _merge(base.setdefault(key, type(overlay)()), value, inner)
            continue
        base[key] = value
        base.ca.items.pop(key, None)
        if key in overlay.ca.items:
            base.ca.items[key] = overlay.ca.items[key]


def _one_blank_line_between_sections(text: str) -> str:
    """The text with one blank line before every key at its margin, and no others."""
    lines = [line for line in text.splitlines() if line.strip()]
    spaced = [f"\n{line}" if re.match(r"[a-z_]+:", line) else line for line in lines]
    return "\n".join(spaced).lstrip("\n") + "\n"


class _Representer(RoundTripRepresenter):
    """Writes `null` where ruamel.yaml would write nothing."""

    def represent_none(self, data: None) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 200
    yaml.preserve_quotes = True
    return yaml
