"""Says which links of the built book lead nowhere: files that are not there, and anchors that are in no page."""

import html.parser
import pathlib
import sys
import urllib.parse

ROOT = pathlib.Path(sys.argv[1]).resolve()


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors.update(found[key] for key in ("id", "name") if found.get(key))
        self.links += [found[key] for key in ("href", "src") if found.get(key)]


pages = {path: Page(path.read_text("utf-8")) for path in ROOT.rglob("*.html") if path.name not in ("print.html", "404.html")}
broken, checked = [], 0
for path, page in pages.items():
    for link in page.links:
        parts = urllib.parse.urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        checked += 1
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
        missing = not target.is_relative_to(ROOT) or not target.exists()
        if not missing and parts.fragment and target in pages:
            missing = urllib.parse.unquote(parts.fragment) not in pages[target].anchors
        if missing:
            broken.append(f"{path.relative_to(ROOT)}: {link}")
print("\n".join(sorted(set(broken))))
print(f"{len(pages)} pages, {checked} links, {len(set(broken))} broken")
sys.exit(1 if broken or not checked else 0)
