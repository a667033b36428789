"""Side-by-side pages from annotated Python: prose left, the code that it speaks of right.

The way from a source file to a page:

- `sections` cuts a file into sections, each with its prose and its lines of code;
- `front_matter` reads the facts at the head of a chapter;
- `prose`, `mathml` and `highlight` turn Markdown, TeX and Python into HTML;
- `course` knows every chapter, its place, and what can be linked to;
- `page` puts one page together, `build` writes all of them into a folder and runs MkDocs on it.

Sources are read as text and never imported. What is particular to one course comes in
through `plugins`.
"""
