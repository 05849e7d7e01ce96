"""Notebooks as HTML pages that need no network, for the report and for slides."""

import re
from html import escape
from pathlib import Path

import nbformat
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

STYLE = """<style>
  main { max-width: 62rem; margin: 0 auto; padding: 0 1rem; }
  .kit-links { max-width: 62rem; margin: 0 auto; padding: 0.6rem 1rem; font: 1rem sans-serif; }
  .kit-links a { margin-right: 1.5em; color: #0b57a4; }
  .jp-RenderedHTMLCommon a { color: #0b57a4 !important; text-decoration: underline !important; }
  .highlight [class^="c"] { color: #2e6060 !important; }
  .highlight [class^="m"] { color: #006600 !important; }
  .highlight .ow { color: #7a00c2 !important; }
  .jp-RenderedHTMLCommon img, .jp-OutputArea-output img { max-width: 100%; height: auto; }
  .kit-table { overflow-x: auto; }
  .kit-table table { width: max-content !important; max-width: max(100%, 56rem); margin-left: 0 !important; }
  .highlight pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
  .jp-RenderedText pre { word-break: normal !important; overflow-wrap: anywhere; }
  @media (max-width: 600px) { body.jp-Notebook, main { padding: 0 0.3rem; } .jp-Collapser { display: none; } }
  @media print { .kit-links { display: none; } .jp-Cell { break-inside: avoid; } .kit-table table { max-width: 100%; } }
</style>"""

SLIDES = """<style>
  body.slides main { zoom: 1.35; padding-bottom: 4rem; }
  body.slides main > .away { display: none; }
  .kit-turn { position: fixed; bottom: 0.5rem; right: 1rem; }
  .kit-turn button { font: 1rem sans-serif; padding: 0.4em 1em; margin-left: 0.5em; }
  @media print {
    .kit-turn { display: none; } body.slides main > .away { display: block; } h1, h2 { break-before: page; }
  }
</style>
<nav class="kit-turn" aria-label="slides"></nav>
<script>
  // A heading of the first or second level begins a slide; buttons, arrow keys, page keys and space turn the pages.
  document.body.classList.add("slides");
  const cells = [...document.querySelector("main").children];
  let last = -1;
  const slides = cells.map(cell => cell.querySelector("h1, h2") ? ++last : last);
  let shown = parseInt(location.hash.slice(1)) || 0;
  const turn = step => {
    shown = Math.max(0, Math.min(last, shown + step));
    cells.forEach((cell, i) => cell.classList.toggle("away", slides[i] !== shown));
    history.replaceState(null, "", "#" + shown);
    scrollTo(0, 0);
  };
  for (const [text, step] of [["Back", -1], ["Next", 1]]) {
    const button = Object.assign(document.createElement("button"), { textContent: text, onclick: () => turn(step) });
    document.querySelector(".kit-turn").append(button);
  }
  addEventListener("keydown", event => {
    const step = { ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    // Space on a button is its own.
    if (step && !(event.key === " " && event.target.tagName === "BUTTON")) { event.preventDefault(); turn(step); }
  });
  turn(0);
</script>"""


def render(
    notebook: nbformat.NotebookNode, page: Path, *, show_code: bool = True, before: str = "", after: str = ""
) -> str:
    """Write a notebook as an HTML page and return its title; `before` and `after` are HTML around its cells."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", _mathml(cell.source))
        elif cell.cell_type == "code":
            for output in cell.outputs:
                # nbconvert drops alt texts. A page cannot run widgets; the picture beside stands for them.
                if picture := output.get("data", {}).get("image/png"):
                    alt = escape(output.metadata.get("image/png", {}).get("alt", ""))
                    output.data = {"text/html": f'<img alt="{alt}" src="data:image/png;base64,{picture.strip()}">'}
            # A finished progress bar leaves blanks behind.
            cell.outputs = [output for output in cell.outputs if output.get("text", "text").strip()]
    title = re.search(r"^# (.+)$", notebook.cells[0].source, re.MULTILINE)[1]
    notebook.metadata.title = title
    notebook.metadata.pop("widgets", None)
    exporter = HTMLExporter(
        exclude_input=not show_code, exclude_input_prompt=True, exclude_output_prompt=True, exclude_anchor_links=True,
        mathjax_url="", require_js_url="", jquery_url="", mermaid_js_url="", mermaid_layout_elk_js_url="",
    )  # fmt: skip
    html = exporter.from_notebook_node(notebook)[0].replace('<script src=""></script>', "")
    html = html.replace("</head>", f"{STYLE}\n</head>", 1).replace("<main>", f"{before}<main>", 1)
    html = html.replace("</main>", f"</main>{after}", 1)
    # A cell is not a control, so the tab key need not stop at each; but at a table, which the arrow keys scroll.
    html = html.replace(' tabindex="0"', "").replace("</table>", "</table></div>")
    html = html.replace("<table", '<div class="kit-table" role="group" aria-label="table" tabindex="0"><table')
    page.write_text(html, encoding="utf-8")
    return title


def navigation(paths: list[Path], path: Path) -> str:
    """Links from a page to the contents, and to the pages before and after it."""
    position = paths.index(path)
    links = [("Contents", "index"), *((f"Back: {p.stem}", p.stem) for p in paths[:position][-1:])]
    links += [(f"Next: {p.stem}", p.stem) for p in paths[position + 1 : position + 2]]
    items = "".join(f'<a href="{stem}.html">{escape(text.replace("_", " "))}</a>' for text, stem in links)
    return f'<nav class="kit-links" aria-label="notebooks">{items}</nav>'


def split_at_headings(notebook: nbformat.NotebookNode) -> None:
    """Give each heading of the second level a cell of its own, to begin a slide with."""
    cells = []
    for cell in notebook.cells:
        parts = re.split(r"^(?=## )", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else [None]
        cells += [cell] if len(parts) == 1 else [nbformat.v4.new_markdown_cell(part) for part in parts if part.strip()]
    notebook.cells = cells


def _mathml(markdown: str) -> str:
    """Replace $$formulas$$ and $formulas$ by MathML, which browsers show without MathJax."""
    markdown = re.sub(r"\$\$(.+?)\$\$", lambda found: convert(found[1], display="block"), markdown, flags=re.DOTALL)
    # A formula may go on in the next line, but not in the next paragraph.
    return re.sub(r"\$(?!\s)((?:[^$\n]|\n(?!\s))+?)(?<!\s)\$(?!\d)", lambda found: convert(found[1]), markdown)
