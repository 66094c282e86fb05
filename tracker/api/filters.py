"""Filters: Mailgun's filter expressions, parsed once into the tree that the store understands.

    expression = all *("OR" all)
    all        = one *(["AND"] one)
    one        = "NOT" one / "(" expression ")" / word / quoted / ">" number / "<" number

Promise: an expression gives a tree of bounded size, or BadFilter with what is wrong. The
operators are written in capitals; `and` is a word like any other.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tracker.store.tree import FIELDS, AllOf, AnyOf, Compare, Match, Not, Tree

MOST_BYTES: Final = 1_500  # of all expressions together: a page's link repeats them twice
MOST_TERMS: Final = 100
DEEPEST: Final = 20

TOKEN = re.compile(r'\s*(?:(?P<bracket>[()])|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<word>[^\s()"]+))')
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
SIGN = re.compile(r"\s*([<>])\s*")
NUMBER = re.compile(r"([<>]?)([0-9]{1,15}(?:\.[0-9]{1,6})?)")
COMPARISON = re.compile(r"[<>][0-9.]+")


class BadFilter(ValueError):
    """The expression has no meaning; the message says why."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression. Only a word can be an operator."""

    kind: Literal["bracket", "quoted", "word", "end"]
    text: str


END: Final = Token("end", "")


def parse(filters: Iterable[tuple[str, str]]) -> Tree:
    """Parse fields and their expressions into one tree that all of them must agree on.

    Raises BadFilter.
    """
    filters = list(filters)
    if sum(len(expression.encode()) for _, expression in filters) > MOST_BYTES:
        raise BadFilter(f"filters take {MOST_BYTES} bytes together")
    terms = sum(len(list(_tokens(*given))) for given in filters)
    if terms > MOST_TERMS:
        raise BadFilter(f"filters take {MOST_TERMS} terms and operators together")
    return AllOf(tuple(parse_one(field, expression) for field, expression in filters))


def parse_one(field: str, expression: str) -> Tree:
    """Parse the expression of one field. Raises BadFilter."""
    if field not in FIELDS:
        raise BadFilter(f"there is no filter field `{field}`; there are {', '.join(FIELDS)}")
    parser = _Parser(field, expression)
    tree = parser.expression()
    if parser.next != END:
        raise BadFilter(f"`{field}`: a parenthesis is closed that wasn't opened")
    return tree


class _Parser:
    """Recursive descent with one token of foresight, `next`."""

    def __init__(self, field: str, expression: str) -> None:
        self._field = field
        self._tokens = _tokens(field, expression)
        self._depth = 0
        self.next = next(self._tokens, END)

    def expression(self) -> Tree:
        parts = [self._all()]
        while self._skip("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Tree:
        parts = [self._one()]
        while self._skip("AND") or self._begins():
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _one(self) -> Tree:
        token = self._take()
        match token:
            case Token("word", "NOT"):
                return Not(self._deeper(self._one))
            case Token("bracket", "("):
                tree = self._deeper(self.expression)
                if self._take() != Token("bracket", ")"):
                    raise BadFilter(f"`{self._field}`: a parenthesis isn't closed")
                return tree
            case Token("word", "AND" | "OR") | Token("bracket" | "end"):
                raise BadFilter(f"`{self._field}`: a term is missing{_before(token)}")
            case _:
                return _leaf(self._field, token)

    def _deeper(self, rule: Callable[[], Tree]) -> Tree:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadFilter(f"`{self._field}`: more than {DEEPEST} levels of NOT and parentheses")
        tree = rule()
        self._depth -= 1
        return tree

    def _begins(self) -> bool:
        return self.next not in {END, Token("bracket", ")"), Token("word", "OR")}

    def _skip(self, operator: str) -> bool:
        found = self.next == Token("word", operator)
        if found:
            self._take()
        return found

    def _take(self) -> Token:
        token, self.next = self.next, next(self._tokens, END)
        return token


def _before(token: Token) -> str:
    return f" before `{token.text}`" if token.text else " at the end"


def _tokens(field: str, expression: str) -> Iterator[Token]:
    text = expression.strip()
    if field in FIELDS and FIELDS[field].numeric:
        text = SIGN.sub(r" \1", text).strip()  # `> 10` and `>1<9` are as good as `>1 <9`
    position = 0
    while position < len(text):
        found = TOKEN.match(text, position)
        if found is None:
            raise BadFilter(f"`{field}`: a quote isn't closed")
        position = found.end()
        match found.lastgroup:
            case "quoted":
                yield Token("quoted", ESCAPED.sub(r"\1", found["quoted"]))
            case "word" | "bracket" as kind:
                yield Token(kind, found[kind])


def _leaf(field: str, token: Token) -> Tree:
    if FIELDS[field].numeric:
        return _comparison(field, token)
    if token.kind == "word" and COMPARISON.fullmatch(token.text):
        raise BadFilter(f"`{field}` is a text; > and < compare numbers (quote the term to seek it)")
    if not token.text.strip():
        raise BadFilter(f"`{field}`: the quotes are empty")
    return Match(field, token.text)


def _comparison(field: str, token: Token) -> Tree:
    found = NUMBER.fullmatch(token.text)
    if found is None:
        raise BadFilter(f"`{field}` is a number: {token.text!r} should be like 500, >500 or <500")
    sign: Literal[">", "<", "="]
    match found[1]:
        case ">" | "<" as sign:
            pass
        case _:
            sign = "="
    return Compare(field, sign, float(found[2]))
