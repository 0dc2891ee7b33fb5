"""Tables in an object store or on a web server, at any URL that fsspec knows, such as `s3://bucket/folder`.

They are read in place. What a store says of a file, its ETag or time of change, stands for the hash of its content.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from textbook.assets.manifest import MANIFEST, STREAMED, read_manifest
from textbook.errors import UserError, first_line
from textbook.files import atomic_write, digest, is_hidden, write_json
from textbook.params import UrlAsset

URL = "url"
"""Key, in the part `STREAMED` of a manifest, of the URL of an asset."""
VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "blob_id", "Last-Modified", "LastModified", "mtime", "created")
"""Where S3, Google, Azure, the hub, web servers and local disks say what changes with the content of a file."""


def is_url(path: str) -> bool:
    """Whether the path of a table is a URL."""
    return "://" in path


def note_remote(asset: UrlAsset, folder: Path) -> int:
    """Write the manifest of an asset at a URL: the version of each file. Return the number of files.

    Raises:
        UserError: the files cannot be listed, there are none, or their versions are unknown.
    """
    root, versions = list_versions(asset.url)
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        write_json(temporary / MANIFEST, {STREAMED: {URL: root}, "versions": versions})
    return len(versions)


def is_remote(folder: Path) -> bool:
    """Whether the asset in a folder is at a URL."""
    return URL in read_manifest(folder).get(STREAMED, {})


def list_remote(folder: Path) -> tuple[str, Mapping[str, str]]:
    """The URL of an asset, and the version of each of its files by URL, sorted, which are those that were noted.

    Raises:
        UserError: a file is another one than when it was noted, or the files cannot be listed.
    """
    manifest = read_manifest(folder)
    noted = manifest["versions"]
    root, versions = list_versions(manifest[STREAMED][URL])
    for name in sorted({*noted, *versions}):
        if noted.get(name) != versions.get(name):
            raise UserError(f"{name}: has changed since the asset {folder.name} was fetched; run `dvc repro`")
    return root, versions


def list_versions(url: str) -> tuple[str, dict[str, str]]:
    """The URL as its file system writes it, and a digest of the version of each file there by URL, sorted.

    Hidden files are left out.

    Raises:
        UserError: the files cannot be listed, there are none, or their versions are unknown.
    """
    with naming_url(url):
        store, root = fsspec.url_to_fs(url)
        root = root.rstrip("/")
        store.invalidate_cache()
        files = {name: info for name, info in store.find(root, detail=True).items() if info["type"] == "file"}
        visible = [name for name in sorted(files) if not is_hidden(Path(name.removeprefix(root).lstrip("/")))]
        if not visible:
            store.info(root)  # says why, if there is nothing at all
            raise UserError(f"{url}: has no files")
        versions = {store.unstrip_protocol(name): _version(store, name, files[name]) for name in visible}
        return store.unstrip_protocol(root), versions


def open_url(url: str) -> Any:
    """Open a file at a URL for reading, from any place. It is fetched in blocks, as it is read."""
    with naming_url(url):
        return fsspec.open(url).open()


@contextmanager
def naming_url(url: str) -> Iterator[None]:
    """Turn any error into a `UserError` that names the URL, on one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each file system has its own, for missing libraries, credentials, names and networks
        raise UserError(f"{url}: cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What went wrong, on one line. An error of fsspec may say no more than the path."""
    if isinstance(error, FileNotFoundError) and not error.__cause__:
        return "no such file or folder"
    return first_line(error.__cause__ or error)


def _version(store: fsspec.AbstractFileSystem, name: str, info: Mapping[str, Any]) -> str:
    """A digest of the name of a file and of what the store says of its content."""
    if not any(info.get(key) for key in VERSIONS):
        info = store.info(name)  # the list of a web server has names only
    versions = {key: str(info[key]) for key in VERSIONS if info.get(key)}
    if not versions:
        raise UserError(f"{name}: must have an ETag or a time of change, but its server says neither")
    return digest(name, info["size"], versions)  # two files may have the same size and time of change
