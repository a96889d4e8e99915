"""docker-compose.yml, Dockerfile and Procfile keep the contract. These tests need no Docker engine, since CI
has none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.setting_names import all_names

ROOT = Path(__file__).resolve().parents[2]
#: The options that keep every line in Postrider's format and soon notice a process that dies before it is ready.
OPTIONS = "--skip-logging --worker-fork-timeout 2000"

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    found: dict[str, Service] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_compose_starts_redis_s3_web_and_workers(services: dict[str, Service]) -> None:
    assert services.keys() == {"redis", "s3", "web", "worker"}


def test_third_party_images_are_pinned_to_a_release(services: dict[str, Service]) -> None:
    foreign = [service["image"] for service in services.values() if "build" not in service]
    base = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(foreign) == 2
    assert len(base) == 1
    for image in foreign + base:
        assert re.fullmatch(r"[\w/]+:\d+\.\d+[\w.-]*", image), image


def test_every_port_is_published_on_loopback_and_the_api_on_8080(services: dict[str, Service]) -> None:
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert services["web"]["ports"] == ["127.0.0.1:8080:8080"]
    assert "ports" not in services["redis"]
    assert "ports" not in services["worker"]


def test_every_service_with_a_port_has_a_health_check_that_the_others_wait_for(services: dict[str, Service]) -> None:
    assert all(services[name]["healthcheck"]["test"][0] == "CMD" for name in ("redis", "s3", "web"))
    for name in ("web", "worker"):
        assert services[name]["depends_on"] == {
            "redis": {"condition": "service_healthy"},
            "s3": {"condition": "service_healthy"},
        }


def test_redis_keeps_every_acknowledged_write_and_every_key(services: dict[str, Service]) -> None:
    command = services["redis"]["command"]
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in command
    assert services["redis"]["volumes"] == ["redis:/data"]


def test_s3_shares_its_keys_with_web_and_workers_and_allows_browsers(services: dict[str, Service]) -> None:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    server = services["s3"]["environment"]
    for name in ("web", "worker"):
        assert [services[name]["environment"][key] for key in keys] == [server[key] for key in keys]
    assert "-s3.allowedOrigins=*" in services["s3"]["command"]
    [port] = services["s3"]["ports"]
    public = services["web"]["environment"]["S3_PUBLIC_ENDPOINT_URL"]
    assert port == f"127.0.0.1:{public.removeprefix('http://localhost:')}:8333"


def test_the_api_has_a_token_from_the_first_start_on(services: dict[str, Service]) -> None:
    environment = services["web"]["environment"]
    assert environment["ALLOW_ANONYMOUS"] == "${ALLOW_ANONYMOUS:-}"
    # The volume that both share keeps the token, and the comment at the top says how to read it.
    assert environment["API_TOKEN_FILE"] == "/app/var/api-token"
    assert "var:/app/var" in services["web"]["volumes"]
    assert "docker compose exec web cat /app/var/api-token" in (ROOT / "docker-compose.yml").read_text()


def test_other_containers_may_call_the_web_process_by_its_name(services: dict[str, Service]) -> None:
    assert services["web"]["environment"]["ALLOWED_HOSTS"] == "${ALLOWED_HOSTS:-web}"


def test_no_proxy_header_decides_where_a_request_comes_from(services: dict[str, Service]) -> None:
    assert "--no-proxy-headers" in services["web"]["command"]
    for name in ("Dockerfile", "Procfile", "run.py"):
        assert "--no-proxy-headers" in (ROOT / name).read_text()


def test_every_setting_can_be_given(services: dict[str, Service]) -> None:
    read = all_names()
    # The containers set these themselves; WORKERS is in the worker's command; AWS_REGION is not that of this S3 server.
    elsewhere = {"AWS_REGION", "REDIS_ADDR", "PORT", "WORKERS", "WORKER_PROCESSES", "VAR_DIR", "OUTBOX_DIR"}
    for name in ("web", "worker"):
        assert read - elsewhere <= services[name]["environment"].keys()


def test_web_and_workers_run_the_commands_of_the_contract(services: dict[str, Service]) -> None:
    assert services["web"]["command"].startswith("uvicorn api:app --host 0.0.0.0 --port 8080")
    assert services["worker"]["command"] == "dramatiq actors --processes 1 --threads ${WORKERS:-10} " + OPTIONS
    procfile = (ROOT / "Procfile").read_text()
    assert "web: uvicorn api:app --host 127.0.0.1 --port ${PORT:-8080}" in procfile
    worker = "worker: dramatiq actors --processes ${WORKER_PROCESSES:-1} --threads ${WORKERS:-10} "
    assert worker + OPTIONS in procfile


def test_a_worker_has_more_time_to_stop_than_a_provider_request_takes(services: dict[str, Service]) -> None:
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > 15


def test_data_survive_in_named_volumes(services: dict[str, Service]) -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    mounted = {mount.split(":")[0] for service in services.values() for mount in service["volumes"]}
    assert mounted == volumes.keys()


def test_the_image_runs_as_a_user_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert any("--require-hashes -r requirements.txt" in line for line in lines)
    assert lines.index("USER postrider") > lines.index("COPY . .")
