"""A page of the docs with a report in it, between two comments that name the bench."""


def put(report: str, bench: str, page: str) -> str:
    """Return a page with the report in place of the one before. Raises ValueError without marks."""
    begin, end = f"<!-- {bench} -->", f"<!-- /{bench} -->"
    before, _, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not ended:
        raise ValueError(f"the page lacks {begin} and {end}")
    return f"{before}{begin}\n{report}{end}{after}"
