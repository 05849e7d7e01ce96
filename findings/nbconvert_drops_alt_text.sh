#!/usr/bin/env bash
# nbconvert: the alt text of an output picture is dropped from the default HTML.
# Expected: a picture's metadata {"image/png": {"alt": ..., "width": 300}} gives alt and width.
# Happens: the default template (lab) writes the width only; then the page gets the stand-in
#   alt="No description has been provided for this image", though one was. Template classic keeps it.
# Hurts: readers with a screen reader, and whoever must publish accessible reports: each curve that the
#   author described is announced as not described.
# Instead: put the picture into an output of type text/html, as <img> with its alt, before converting.
# Seen: nbconvert 7.17.2, 27 November 2026. From: block data_png in
#   share/jupyter/nbconvert/templates/lab/base.html.j2 (data_jpg alike); classic/base.html.j2 reads alt.
set -euo pipefail
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q nbconvert==7.17.2 nbformat==5.10.4
export HOME="$tmp/home" IPYTHONDIR="$tmp/ipython" JUPYTER_CONFIG_DIR="$tmp/config" JUPYTER_DATA_DIR="$tmp/data"
mkdir -p "$tmp/home"
"$tmp/venv/bin/python" - <<'PY'
import base64
import html
import struct
import sys
import zlib
from html.parser import HTMLParser

from nbconvert import HTMLExporter
from nbformat.v4 import new_code_cell, new_notebook, new_output

ALT = "Accuracy by number of labels, margin above random"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(side=8):
    rows = b"".join(b"\0" + bytes([160] * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Pictures(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.found.append(dict(attrs))


def picture(output, **how):
    book = new_notebook(cells=[new_code_cell("curve()", outputs=[output])],
                        metadata={"language_info": {"name": "python", "pygments_lexer": "python"}})
    pictures = Pictures()
    pictures.feed(HTMLExporter(**how).from_notebook_node(book)[0])
    if len(pictures.found) != 1:
        sys.exit(f"changed: {len(pictures.found)} pictures in the page, not 1")
    return pictures.found[0].get("alt"), pictures.found[0].get("width")


coded = base64.b64encode(grey_png()).decode()
png = new_output("display_data", {"image/png": coded}, metadata={"image/png": {"alt": ALT, "width": 300}})
tag = f'<img src="data:image/png;base64,{coded}" width="300" alt="{html.escape(ALT)}">'
own = new_output("display_data", {"text/html": tag})
seen = {
    "default template": picture(png),
    "template lab": picture(png, template_name="lab"),
    "template classic": picture(png, template_name="classic"),
    "default, own <img>": picture(own),
}
for name, (alt, width) in seen.items():
    print(f"{name:18s}: width {width}, alt={alt!r}")
if any(width != "300" for _, width in seen.values()):
    sys.exit("changed: the width of a picture is no longer kept everywhere")
if ALT in (seen["default template"][0], seen["template lab"][0]):
    sys.exit("changed: the lab template now keeps the alt text")
if seen["template classic"][0] != ALT or seen["default, own <img>"][0] != ALT:
    sys.exit("changed: template classic or an own <img> no longer keeps the alt text")
PY
