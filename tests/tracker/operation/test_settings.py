"""Settings: what can be set, where, and what is said to someone who got it wrong."""

from pathlib import Path

import pytest

from tests.tracker.operation.conftest import Tracker
from tracker import settings, source
from tracker.listen import Address
from tracker.mistake import Exit, Mistake

REFERENCE = Path(__file__).parents[3] / "docs" / "settings.md"


def loaded(text: str = "") -> settings.Settings:
    """Load the settings that `tracker.toml` holds."""
    Path("tracker.toml").write_text(text)
    return source.load(source.find(None))


def test_every_setting_is_documented_as_it_is() -> None:
    told = [
        (
            f"`{setting.name}`",
            f"`{settings.variable(setting.name)}`",
            f"`{setting.default}`",
            setting.description,
        )
        for setting in settings.TABLE
    ]
    rows = [f"| {' | '.join(cells)} |" for cells in told]
    assert [line for line in REFERENCE.read_text().splitlines() if line.startswith("| `")] == rows


def test_nothing_has_to_be_set(folder: Path) -> None:
    assert source.load(source.find(None)) == settings.Settings()


def test_the_environment_overrules_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_EDGE_LATE_AFTER", "0.5")
    found = loaded("[edge]\nlate_after = 2.0\nqueue_limit = 7")
    assert (found.edge.late_after, found.edge.queue_limit) == (0.5, 7)


def test_the_environment_holds_lists_as_people_write_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_EDGE_LISTEN", "127.0.0.1:80, [::1]:8080")
    monkeypatch.setenv("TRACKER_EDGE_TRACKING_DOMAINS", "Click.Example.COM")
    edge = loaded().edge
    assert edge.listen == (Address("127.0.0.1", 80), Address("::1", 8080))
    assert edge.tracking_domains == ("click.example.com",)


def test_the_rewriter_may_keep_its_settings_in_the_same_file(folder: Path) -> None:
    assert loaded('[rewriter]\ntracking_url = "https://t.example"') == settings.Settings()


def test_the_keyring_lies_in_the_data_folder_unless_it_is_elsewhere(folder: Path) -> None:
    assert loaded('data = "d"').keyring_path == Path("d/keyring.json")
    assert loaded('keyring = "/etc/keys.json"').keyring_path == Path("/etc/keys.json")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[edge]\nworker = 2", "no setting 'edge.worker'; did you mean edge.workers?"),
        ("workers = 2", "no setting 'workers'; did you mean edge.workers?"),
        ("[egde]\nworkers = 2", "no setting 'egde'"),
        ("[edge]\nworkers = 'many'", "edge.workers (from tracker.toml) is 'many': should be"),
        ("[edge]\nworkers = -1", "should be greater than or equal to 0"),
        ("edge = 5", "'edge' should be a table, written [edge]"),
        ("[edge]\nlisten = []", "should name at least one address"),
        ("[edge]\nlisten = '8025'", "should be host:port, such as 127.0.0.1:8025"),
        ("[api]\nlisten = '::1:80'", "an IPv6 address stands in brackets"),
        ("[api]\nlisten = 'localhost:99999'", "should be host:port"),
        ("[edge]\ntracking_domains = ['a b']", "'a b' is not a host name"),
        ("data = 5", "should be the path of a file or folder"),
        ("[log]\nformat = 'xml'", "should be 'auto', 'json' or 'text'"),
        ("[edge", "tracker.toml is not TOML"),
        ("sinks = 7", "sinks (from tracker.toml) is 7: should be a list, such as"),
        ("[edge]\nworkers = '2.5'", "edge.workers (from tracker.toml) is '2.5': should be a whole"),
        ("[edge]\nlate_after = 'soon'", "is 'soon': should be a number"),
        ("[acme]\nterms_agreed = 'perhaps'", "is 'perhaps': should be true or false"),
        ("[acme]\ncontact = 7", "is 7: should be a text in quotes"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(Mistake) as refused:
        loaded(text)
    assert sentence in str(refused.value)
    assert refused.value.status == Exit.CONFIG


def test_every_wrong_setting_is_named_at_once(folder: Path) -> None:
    with pytest.raises(Mistake, match=r"edge\.workers.*; .*edge\.lat"):
        loaded("[edge]\nworkers = 'many'\nlat_after = 1")


def test_a_misspelt_variable_is_refused_with_the_one_that_was_meant(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_EDGE_WORKRES", "2")
    with pytest.raises(Mistake, match="did you mean TRACKER_EDGE_WORKERS"):
        loaded()


def test_a_file_that_is_no_text_is_refused_as_that(tracker: Tracker, folder: Path) -> None:
    (folder / "tracker.toml").write_bytes(b'data = "\xff"\n')
    said = tracker("config", "show")
    assert said.status == Exit.CONFIG
    assert said.err == "tracker: tracker.toml is not TOML: it is no text in UTF-8\n"


def test_a_file_that_was_named_must_be_there(tracker: Tracker) -> None:
    said = tracker("config", "show", "--config", "else.toml")
    assert said.status == Exit.NO_INPUT
    assert (
        said.err == "tracker: cannot read the settings file else.toml: No such file or directory\n"
    )


def test_config_show_tells_where_each_value_comes_from(
    tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_API_LISTEN", "127.0.0.1:9")
    (folder / "tracker.toml").write_text("[edge]\nworkers = 3")
    rows = {
        cells[0]: cells[1:]
        for line in tracker("config", "show").out.splitlines()
        if len(cells := [cell.strip() for cell in line.strip("│").split("│")]) == 3
    }
    assert rows["edge.workers"] == ["3", "tracker.toml"]
    assert rows["api.listen"] == ['"127.0.0.1:9"', "TRACKER_API_LISTEN"]
    assert rows["log.format"] == ['"auto"', "default"]


def test_config_show_explains_what_each_setting_does(tracker: Tracker) -> None:
    shown = " ".join(tracker("config", "show", "--explain").out.split())
    assert "Where opens, clicks and unsubscribes arrive." in shown
