"""A source of the corpus in S3, from a server that speaks its protocol. It needs `moto[server]` and `s3fs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from textbook.errors import UserError
from textbook.params import Source, UrlAsset
from textbook.tables.files import cut_table
from textbook.tables.read import read_rows_of
from textbook.tables.remote import list_remote, list_versions, note_remote

TEXTS = [f"Text number {number}." for number in range(1_000)]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A new bucket, `text`, on a server of this test."""
    pytest.importorskip("s3fs", reason="s3fs needs another botocore than the locked one")
    server = pytest.importorskip("moto.server", reason="moto is only for this test, and large")
    boto3 = pytest.importorskip("boto3", reason="it comes with moto")
    moto = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    moto.start()
    endpoint = "http://{}:{}".format(*moto.get_host_and_port())
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = boto3.resource("s3").create_bucket(Bucket="text")
    yield bucket
    moto.stop()


def test_a_folder_in_s3_is_listed_read_in_parts_and_watched(bucket: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "a.parquet", row_group_size=100)
    bucket.upload_file(tmp_path / "a.parquet", "web/a.parquet")
    bucket.put_object(Key="web/b.txt", Body="".join(f"{text}\n" for text in TEXTS))
    note_remote(UrlAsset(url="s3://text/web"), tmp_path / "asset")
    root, versions = list_remote(tmp_path / "asset")
    assert (root, list(versions)) == ("s3://text/web", ["s3://text/web/a.parquet", "s3://text/web/b.txt"])
    for url in versions:
        parts = cut_table(url, 4_000)
        assert len(parts) > 3
        blocks = [block for part in parts for block in read_rows_of(part, ["text"], Source(asset="web"))]
        assert [text for block in blocks for text in block.columns["text"]] == TEXTS
    bucket.put_object(Key="web/b.txt", Body="other\n")
    with pytest.raises(UserError, match=r"^s3://text/web/b\.txt: has changed since the asset asset was fetched"):
        list_remote(tmp_path / "asset")
    with pytest.raises(UserError, match=r"^s3://nowhere/web: cannot be read: "):
        list_versions("s3://nowhere/web")
