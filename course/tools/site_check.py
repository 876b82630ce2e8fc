"""Looks through finished pages: every link inside the site leads somewhere, every picture has words, nothing comes from outside."""

from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

FETCHED = {"img": "src", "script": "src", "video": "src", "source": "src", "iframe": "src", "link": "href"}


class Page(HTMLParser):
    """What one page names. links: of <a>. fetched: what a browser loads. names: anchors. faults: pictures without words."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.links, self.fetched, self.names, self.faults = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag in FETCHED and given.get(FETCHED[tag]):
            self.fetched.append(given[FETCHED[tag]])
        if tag == "img" and not (given.get("alt") or "").strip():
            self.faults.append(f"a picture without alt text ({given.get('src', '')[:80]})")
        if tag == "video" and not (given.get("aria-label") or "").strip():
            self.faults.append("a film without a label")
        if "plotly-graph-div" in (given.get("class") or "") and not given.get("id"):
            self.faults.append("a drawing without a name")

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)


def problems(folder, left_out=("_static",)):
    """(faults, links to other places) of all pages under `folder`: sentences, and the sorted addresses that were not fetched."""
    paths = sorted(path for path in folder.rglob("*.html") if path.relative_to(folder).parts[0] not in left_out)
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in paths}
    faults, outside = [], set()
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        faults += [f"{name}: {fault}" for fault in page.faults]
        for address in page.fetched:
            if urlsplit(address).scheme in ("http", "https") or address.startswith("//"):
                faults.append(f"{name}: loads {address} from outside")
        for address in [*page.links, *page.fetched]:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                outside |= {address} if parts.scheme in ("http", "https") else set()
            elif fault := broken(path, address, pages):
                faults.append(f"{name}: {fault}")
    return faults, sorted(outside)


def broken(path, address, pages):
    """Why a relative address of the page at `path` leads nowhere; "" when it does lead somewhere."""
    target, anchor = urldefrag(address)
    target = target.split("?")[0]
    place = (path.parent / unquote(target)).resolve() if target else path
    if place.is_dir():
        place /= "index.html"
    if not place.is_file():
        return f"{address} is not there"
    if anchor and place in pages and unquote(anchor) not in pages[place].names:
        return f"{address}: the page has no such place"
    return ""
