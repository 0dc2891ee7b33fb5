"""`python -m tracking.server [PORT]`: the MLflow server and UI over the local store, on this machine only."""

import os
import sys

from tracking.store import local_artifacts, local_store


def main() -> None:
    """Replace this process by the server."""
    port = sys.argv[1] if len(sys.argv) > 1 else "5000"
    print(f"MLflow on http://127.0.0.1:{port}, Ctrl-C ends it", flush=True)
    arguments = ["--host", "127.0.0.1", "--port", port, "--workers", "1", "--backend-store-uri", local_store()]
    arguments += ["--artifacts-destination", str(local_artifacts())]
    os.execv(sys.executable, [sys.executable, "-m", "mlflow", "server", *arguments])


if __name__ == "__main__":
    main()
