"""How many deliveries are taken for each URL, so that none takes what others need."""

from dataclasses import replace

from tracker.store.webhooks import Hook
from tracker.webhooks.room import A_HOST, IN_ALL, room


def hook(number: int, *, host: str = "", batch: int = 1, failing: bool = False) -> Hook:
    url = f"https://{host or f'app-{number}.example'}/hook/{number}"
    since = 1 if failing else None
    return Hook(number, "news.example", "opened", url, batch, False, 0, since, "")


def test_a_url_alone_has_what_its_host_may_have() -> None:
    assert room([hook(1)], []) == {1: A_HOST}


def test_what_is_under_way_counts() -> None:
    assert room([hook(1)], [hook(1)] * 5) == {1: A_HOST - 5}
    assert room([hook(1)], [hook(1)] * A_HOST) == {}


def test_urls_of_one_host_share_it() -> None:
    here = [hook(number, host="app.example") for number in (1, 2)]
    assert sum(room(here, []).values()) == A_HOST
    assert room([here[0]], [here[1]] * A_HOST) == {}


def test_one_that_failed_has_one_request_under_way() -> None:
    failing = hook(1, failing=True)
    assert room([failing], []) == {1: 1}
    assert room([failing], [failing]) == {}


def test_a_request_of_a_batch_takes_many() -> None:
    assert room([hook(1, batch=50)], []) == {1: A_HOST * 50}
    assert room([hook(1, batch=50, failing=True)], []) == {1: 50}


def test_however_many_are_due_the_whole_is_bounded_and_shared() -> None:
    many = [hook(number) for number in range(100)]
    taken = room(many, [])
    assert len(taken) == 100
    assert sum(taken.values()) <= IN_ALL
    assert room(many, [hook(1000 + number) for number in range(IN_ALL)]) == {}


def test_a_url_of_older_rules_is_a_host_of_its_own() -> None:
    assert room([replace(hook(1), url="https://app.example:22/")], []) == {1: A_HOST}
