"""The account: made once, on accepted terms, and moved or closed when its owner says so."""

import asyncio
import base64

import pytest

from certs.acme import ExternalAccount, Problem, new_key, thumbprint
from certs.acme.jwk import public_jwk
from tests.certs.acme.parts import names, new_name, opened, registered, request
from tests.servers.answers import Answers
from tests.servers.faulty import Faulty
from tests.servers.fixtures import Pebbles
from tests.servers.pebble import Pebble

SECRET = base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")


def test_an_account_is_made_once_and_found_by_its_key(each_pebble: Pebble) -> None:
    key = new_key()

    async def run() -> None:
        async with opened(each_pebble, key) as acme:
            assert await acme.find_account() is None
            made = await acme.register(["mailto:ops@example.com"], terms_agreed=True)
            assert await acme.register(terms_agreed=True) == made
        async with opened(each_pebble, key) as acme:
            assert await acme.find_account() == acme.account_url == made

    asyncio.run(run())


def test_nothing_is_asked_of_the_ca_before_its_terms_are_agreed_to(faulty: Faulty) -> None:
    async def run() -> None:
        async with opened(faulty) as acme:
            with pytest.raises(Problem, match="Do%20what%20thou%20wilt") as refused:
                await acme.register(terms_agreed=False)
        assert refused.value.type == "userActionRequired"

    asyncio.run(run())
    assert faulty.count("new-account") == 0


def test_an_order_needs_an_account_and_says_so(faulty: Faulty, answers: Answers) -> None:
    async def run() -> None:
        async with opened(faulty) as acme:
            with pytest.raises(Problem, match="register the account, or find it, first"):
                await acme.issue("click.example.test", b"", answers.respond)

    asyncio.run(run())
    assert faulty.count("new-order") == 0


def test_an_account_moves_to_another_key(each_pebble: Pebble, answers: Answers) -> None:
    old, new = new_key(), new_key()

    async def run() -> None:
        async with registered(each_pebble, old) as acme:
            await acme.change_key(new)
            await acme.change_contact(["mailto:others@example.com"])
            name = new_name()
            # The answer to its challenge is of the new key.
            await acme.issue(name, request(name).csr_der, answers.respond)
            url = acme.account_url
        assert answers.readied[-1].key_authorization.endswith(f".{thumbprint(new)}")
        async with opened(each_pebble, old) as acme:
            assert await acme.find_account() is None
        async with opened(each_pebble, new) as acme:
            assert await acme.find_account() == url

    asyncio.run(run())


def test_a_closed_account_orders_nothing(each_pebble: Pebble, answers: Answers) -> None:
    key, name = new_key(), new_name()

    async def run() -> None:
        async with registered(each_pebble, key) as acme:
            await acme.deactivate()
            with pytest.raises(Problem, match="deactivated"):
                await acme.issue(name, request(name).csr_der, answers.respond)
        async with opened(each_pebble, key) as acme:
            with pytest.raises(Problem, match="deactivated"):
                await acme.find_account()

    asyncio.run(run())


@pytest.fixture(scope="session")
def exclusive(lasting: Pebbles) -> Pebble:
    """Start a CA whose accounts are given out beforehand."""
    return lasting(external_accounts={"customer-7": SECRET})


def test_a_ca_that_gives_accounts_out_gets_ours_bound_to_it(
    exclusive: Pebble, answers: Answers
) -> None:
    name = new_name()

    async def run() -> None:
        account = ExternalAccount.parse("customer-7", SECRET)
        async with registered(exclusive, eab=account) as acme:
            issued = await acme.issue(name, request(name).csr_der, answers.respond)
        assert names(issued) == [name]

    asyncio.run(run())


def test_without_the_account_that_it_gave_out_we_don_t_even_ask(exclusive: Pebble) -> None:
    async def run() -> None:
        async with opened(exclusive) as acme:
            assert acme.meta.external_account_required
            with pytest.raises(Problem, match="key id and HMAC key"):
                await acme.register(terms_agreed=True)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("key_id", "secret"),
    [("customer-8", SECRET), ("customer-7", SECRET.swapcase())],
    ids=["another customer", "another secret"],
)
def test_the_ca_refuses_an_account_that_it_didn_t_give_out(
    exclusive: Pebble, key_id: str, secret: str
) -> None:
    async def run() -> None:
        async with opened(exclusive) as acme:
            with pytest.raises(Problem) as refused:
                await acme.register(terms_agreed=True, eab=ExternalAccount.parse(key_id, secret))
        assert 400 <= refused.value.status < 500

    asyncio.run(run())


@pytest.mark.parametrize("padding", ["", "=", "\n", " "])
def test_a_secret_is_taken_as_cas_print_it(padding: str) -> None:
    account = ExternalAccount.parse("customer-7", SECRET + padding)
    assert account.hmac_key == bytes(range(32))


@pytest.mark.parametrize(
    ("key_id", "secret"), [("", SECRET), ("k", ""), ("k", "not base64!"), ("k", "a"), ("k", "ä")]
)
def test_what_is_no_external_account_is_refused_in_words(key_id: str, secret: str) -> None:
    with pytest.raises(ValueError, match="a key id and an HMAC key in base64url"):
        ExternalAccount.parse(key_id, secret)


def test_a_secret_is_in_no_representation() -> None:
    assert "hmac_key" not in repr(ExternalAccount.parse("customer-7", SECRET))


def test_the_public_key_alone_goes_to_the_ca() -> None:
    assert public_jwk(new_key()).keys() == {"kty", "crv", "x", "y"}
