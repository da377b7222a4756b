"""Makes `tour.ipynb` of `tour.py` and runs it: `python make_notebook.py [OUT]`. Needs `pip install nbclient ipykernel`."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def notebook(source: str) -> nbformat.NotebookNode:
    """Cells begin with `# %%`; those marked `[markdown]` are comments."""
    book = nbformat.v4.new_notebook()
    for part in source.split("# %%")[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            text = "\n".join(line.removeprefix("# ") for line in body.strip().splitlines())
            book.cells.append(nbformat.v4.new_markdown_cell(text))
        else:
            book.cells.append(nbformat.v4.new_code_cell(body.strip()))
    return book


def main(out: Path) -> nbformat.NotebookNode:
    book = notebook((Path(__file__).parent / "tour.py").read_text())
    NotebookClient(book, timeout=600, kernel_name="python3").execute()
    nbformat.write(book, out)
    return book


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "tour.ipynb"))
