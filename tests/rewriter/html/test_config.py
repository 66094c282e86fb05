"""Settings that can't be meant are refused by name."""

from typing import Any

import pytest

from rewriter.config import Config, ConfigError


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("tracking_domain", ""),
        ("tracking_domain", "Click.example.com"),
        ("tracking_domain", "https://click.example.com"),
        ("tracking_domain", "click.example.com:8080"),
        ("tracking_domain", "click..example.com"),
        ("tracking_domain", "-click.example.com"),
        ("tracking_domain", "bücher.example"),
        ("tracking_domain", "a." * 127 + "example"),
        ("scheme", "ftp"),
        ("port", 0),
        ("port", 65536),
        ("exclude_domains", ("example.com", "*.example.org")),
        ("only_domains", ("",)),
        ("pixel", "middle"),
        ("privacy", "secret"),
        ("dkim", "ignore"),
        ("utm", (("", "x"),)),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_by_its_name(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{setting}: ") as refused:
        Config(**{"tracking_domain": "click.example.com", setting: value})
    assert refused.value.setting == setting


def test_a_pixel_can_only_stand_at_a_token_that_has_a_name() -> None:
    with pytest.raises(ConfigError, match=r"^pixel_token: "):
        Config(tracking_domain="click.example.com", pixel="token", pixel_token="")


@pytest.mark.parametrize(
    ("settings", "origin"),
    [
        ({}, "https://click.example.com"),
        ({"port": 443}, "https://click.example.com"),
        ({"scheme": "http"}, "http://click.example.com"),
        ({"scheme": "http", "port": 8080}, "http://click.example.com:8080"),
    ],
)
def test_every_tracked_url_begins_with_the_same_origin(
    settings: dict[str, Any], origin: str
) -> None:
    assert Config(tracking_domain="click.example.com", **settings).origin == origin
