"""What people are told to do to Synapse, for each way in which it runs."""

from pathlib import Path

import pytest

from lycatra_appservice.setup.answers import Place, place_of
from lycatra_appservice.setup.instructions import Ground, instructions

FILE = Path("/srv/lycatra/registration/lycatra.yaml")


def told(
    place: Place,
    url: str = "http://localhost:8080",
    *,
    is_debian: bool = False,
    in_container: bool = False,
) -> str:
    return instructions(
        Ground(
            place=place,
            registration=FILE,
            appservice_url=url,
            is_debian=is_debian,
            in_container=in_container,
            container="synapse",
        )
    )


def test_beside_synapse_only_the_line_and_the_restart_are_needed() -> None:
    text = told(Place.HERE)
    assert f"app_service_config_files:\n         - {FILE}" in text
    assert "1. In homeserver.yaml" in text
    assert "2. Restart Synapse" in text


def test_debians_package_gets_a_copy_for_its_own_user() -> None:
    text = told(Place.HERE, is_debian=True)
    assert f"sudo install -m 0600 -o matrix-synapse {FILE}" in text
    assert "- /etc/matrix-synapse/lycatra.yaml" in text
    assert text.endswith("sudo systemctl restart matrix-synapse")


def test_a_container_gets_a_copy_and_learns_how_to_reach_its_host() -> None:
    text = told(Place.DOCKER, "http://host.docker.internal:8080")
    assert f"umask 077; cat > /data/lycatra.yaml' < {FILE}" in text
    assert "- /data/lycatra.yaml" in text
    assert 'extra_hosts: ["host.docker.internal:host-gateway"]' in text
    assert text.endswith("docker compose up -d --force-recreate synapse")


def test_from_a_container_the_way_into_the_other_one_is_named() -> None:
    text = told(Place.DOCKER, "http://lycatra:8080", in_container=True)
    assert "docker exec" not in text
    assert "docs/DOCKER.md" in text
    assert "- /data/lycatra.yaml" in text
    assert "extra_hosts" not in text
    assert text.endswith("docker restart synapse")


def test_another_computer_gets_the_file_by_hand() -> None:
    assert f"Copy {FILE} to the computer" in told(Place.ELSEWHERE, "http://10.0.0.2:8080")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:8080", Place.HERE),
        ("http://[::1]:8080", Place.HERE),
        ("http://lycatra:8080", Place.DOCKER),
        ("http://host.docker.internal:8080", Place.DOCKER),
        ("https://lycatra.example.org", Place.ELSEWHERE),
    ],
)
def test_where_synapse_runs_shows_in_how_it_reaches_us(url: str, place: Place) -> None:
    assert place_of(url) is place
