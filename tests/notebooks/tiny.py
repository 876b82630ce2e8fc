"""Small notebooks for the tests of the tools."""

import nbformat

PARAMETERS = 'profile: str = ""  # a name\nseed: int = 0  # a number\nrun_name: str = ""  # a folder'


def write(path, *cells, title="A title", kernel=True):
    """Write a notebook of code cells under a title and a parameters cell; returns its path."""
    nb = nbformat.v4.new_notebook()
    if kernel:
        nb.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nb.cells = [nbformat.v4.new_markdown_cell(f"# {title}"), nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
    nb.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nb, path)
    return path


def stored(path, source, text):
    """Write a notebook of one code cell with this stored output; returns its path."""
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    nb = nbformat.v4.new_notebook(metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}})
    nb.cells = [nbformat.v4.new_code_cell(source, outputs=[output], execution_count=1)]
    nbformat.write(nb, path)
    return path
