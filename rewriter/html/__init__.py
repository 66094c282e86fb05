"""Pages: where links and pixels stand in HTML, by offset, as a browser's tokenizer sees it."""
