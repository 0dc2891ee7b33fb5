"""`make params`: write `params.yaml` for a profile."""

from pathlib import Path

from pipelines.cli import run
from pipelines.paths import PROFILES
from textbook.files import atomic_write
from textbook.profiles import render_profile


def main(profile: str) -> None:
    """Check a profile of the folder `profiles`, and replace `params.yaml` with its parameters."""
    content = render_profile(profile, PROFILES)
    with atomic_write(Path("params.yaml")) as temporary:
        temporary.write_text(content, encoding="utf-8")
    print(f"wrote params.yaml for profiles/{profile}.yaml; `git diff params.yaml` shows the changes")


if __name__ == "__main__":
    run(main)
