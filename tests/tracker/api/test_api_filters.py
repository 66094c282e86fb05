import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.api.filters import BadFilter, parse, parse_one
from tracker.store.tree import FIELDS, AllOf, AnyOf, Compare, Match, Not, Tree, condition


def has(text: str) -> Match:
    return Match("subject", text)


def every(*parts: Tree) -> Tree:
    return AllOf(parts)


def some(*parts: Tree) -> Tree:
    return AnyOf(parts)


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("foo", has("foo")),
        ("  foo ", has("foo")),
        ("foo bar", every(has("foo"), has("bar"))),
        ("foo AND bar", every(has("foo"), has("bar"))),
        ("foo OR bar", some(has("foo"), has("bar"))),
        ('"foo bar"', has("foo bar")),
        ("NOT foo", Not(has("foo"))),
        ("NOT NOT foo", Not(Not(has("foo")))),
        ("foo NOT bar", every(has("foo"), Not(has("bar")))),
        ("a b OR c", some(every(has("a"), has("b")), has("c"))),
        ("a OR b AND c OR d", some(has("a"), every(has("b"), has("c")), has("d"))),
        ("a (b OR c)", every(has("a"), some(has("b"), has("c")))),
        ("(a)", has("a")),
        ("((a)b)", every(has("a"), has("b"))),
        ("a and b or not", every(*map(has, ("a", "and", "b", "or", "not")))),
        ('"AND"', has("AND")),
        (r'"say \"hello\" \\ bye"', has(r'say "hello" \ bye')),
        ('Re:"foo bar"', every(has("Re:"), has("foo bar"))),
        ("ann@example.com", has("ann@example.com")),
        ("a<b", has("a<b")),
        ('">10"', has(">10")),
        (
            "(Hello AND NOT Rachel) OR (Farewell AND Monica)",
            some(every(has("Hello"), Not(has("Rachel"))), every(has("Farewell"), has("Monica"))),
        ),
    ],
)
def test_an_expression_means_what_mailgun_says(expression: str, tree: Tree) -> None:
    assert parse_one("subject", expression) == tree


@pytest.mark.parametrize(
    ("expression", "tree"),
    [
        ("500", Compare("size", "=", 500)),
        (">10000", Compare("size", ">", 10000)),
        ("> 10000", Compare("size", ">", 10000)),
        ("<0.5", Compare("size", "<", 0.5)),
        (">1 <2", every(Compare("size", ">", 1), Compare("size", "<", 2))),
        (">1<2", every(Compare("size", ">", 1), Compare("size", "<", 2))),
        ("NOT (<1 OR >2)", Not(some(Compare("size", "<", 1), Compare("size", ">", 2)))),
    ],
)
def test_a_number_is_compared(expression: str, tree: Tree) -> None:
    assert parse_one("size", expression) == tree


@pytest.mark.parametrize(
    ("field", "expression", "says"),
    [
        ("subject", "", "`subject`: a term is missing at the end"),
        ("subject", "()", "`subject`: a term is missing before `)`"),
        ("subject", "AND a", "`subject`: a term is missing before `AND`"),
        ("subject", "a OR", "`subject`: a term is missing at the end"),
        ("subject", "a OR OR b", "`subject`: a term is missing before `OR`"),
        ("subject", "NOT", "`subject`: a term is missing at the end"),
        ("subject", "(a", "`subject`: a parenthesis isn't closed"),
        ("subject", "a)", "`subject`: a parenthesis is closed that wasn't opened"),
        ("subject", 'a "b', "`subject`: a quote isn't closed"),
        ("subject", '""', "`subject`: the quotes are empty"),
        ("subject", ">10", "`subject` is a text; > and < compare numbers"),
        ("size", "many", "`size` is a number: 'many' should be like 500, >500 or <500"),
        ("size", ">", "`size` is a number: '>' should be"),
        ("size", "-1", "`size` is a number: '-1' should be"),
        ("size", "1e9", "`size` is a number: '1e9' should be"),
        ("size", "9" * 400, "`size` is a number"),
        ("subject", "(" * 21 + "a" + ")" * 21, "more than 20 levels"),
        ("subject", "NOT " * 21 + "a", "more than 20 levels"),
        ("sender", "a", "there is no filter field `sender`; there are event, list, "),
    ],
)
def test_an_expression_without_a_meaning_says_why(field: str, expression: str, says: str) -> None:
    with pytest.raises(BadFilter) as refusal:
        parse([(field, expression)])
    assert says in str(refusal.value)


def test_a_field_given_twice_must_meet_both() -> None:
    assert parse([("tags", "a"), ("event", "opened"), ("tags", "b")]) == every(
        Match("tags", "a"), Match("event", "opened"), Match("tags", "b")
    )


@pytest.mark.parametrize(
    "filters",
    [
        [("subject", "a " * 101)],
        [("subject", "a " * 60), ("tags", "b " * 60)],
        [("subject", "a" * 1000), ("tags", "a" * 501)],
        [("subject", "é" * 751)],
    ],
)
def test_filters_are_bounded_together(filters: list[tuple[str, str]]) -> None:
    with pytest.raises(BadFilter, match=r"^filters take "):
        parse(filters)


pieces = st.sampled_from(["a", "bé", "AND", "OR", "NOT", "(", ")", '"', '"x y"', ">5", "<", "\\"])


@given(
    st.sampled_from(list(FIELDS)),
    st.text(max_size=30) | st.lists(pieces, max_size=20).map(" ".join),
)
def test_any_text_is_a_filter_or_is_refused(field: str, expression: str) -> None:
    try:
        tree = parse([(field, expression)])
    except BadFilter as refusal:
        assert f"`{field}`" in str(refusal)  # noqa: PT017 - it may pass as well
    else:
        assert str(condition(tree))
