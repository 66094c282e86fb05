"""Export: events as files that other programs read, as JSON lines, CSV or Parquet.

`columns` says what stands in a row of a table, `forms` writes rows down, `walk` reads them from the
store in pages.
"""
