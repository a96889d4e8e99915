"""The embedded S3 server: nanio behind a CORS policy that lets a browser upload parts and read their ETags.

It runs as a separate process, `python -m embedded.s3 PORT DIRECTORY`. nanio reads the credentials of its one user from
NANIO_ACCESS_KEY and NANIO_SECRET_KEY.
"""

from __future__ import annotations

import configparser
import io
import secrets
import sys
from pathlib import Path

import uvicorn
from nanio.app import build_app
from nanio.config import Settings
from starlette.middleware.cors import CORSMiddleware

from embedded import private
from embedded.ports import LOOPBACK


def command(port: int, directory: Path) -> list[str]:
    """The command line of a server on loopback; run it from the repository root."""
    return [sys.executable, "-m", __name__, str(port), str(directory)]


def environment(access_key: str, secret_key: str) -> dict[str, str]:
    """The environment variables that the server needs."""
    return {"NANIO_ACCESS_KEY": access_key, "NANIO_SECRET_KEY": secret_key}


def client_environment(access_key: str, secret_key: str) -> dict[str, str]:
    """The environment variables with which boto3 signs requests to the server."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def credentials(path: Path) -> tuple[str, str]:
    """The access key and the secret key of the server's one user, made once, in a file that only its owner may read.

    The file has the format of the AWS tools, so that `AWS_SHARED_CREDENTIALS_FILE` can name it.
    """
    if not path.exists():
        _make_credentials(path)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(path)
    user = parser["default"]
    return user["aws_access_key_id"], user["aws_secret_access_key"]


def _make_credentials(path: Path) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser["default"] = {
        "aws_access_key_id": secrets.token_hex(10),
        "aws_secret_access_key": secrets.token_urlsafe(30),
    }
    text = io.StringIO()
    parser.write(text)
    private.write(path, text.getvalue())


def app(port: int, directory: Path) -> CORSMiddleware:
    """The server as an ASGI application. Every origin may call it, since each request carries a signature."""
    return CORSMiddleware(
        build_app(Settings(data_dir=directory.resolve(), host=LOOPBACK, port=port)),
        allow_origins=["*"],
        allow_methods=["GET", "HEAD", "PUT"],
        allow_headers=["*"],
        expose_headers=["ETag"],
    )


def main(port: int, directory: Path) -> None:
    """Serve until SIGTERM."""
    uvicorn.run(app(port, directory), host=LOOPBACK, port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
