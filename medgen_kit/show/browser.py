"""A browser over clips: search their captions, filter by kind and concept, watch. `explorer_page` shows one clip without any widget."""

import html
from collections import Counter

from ..errors import KitError
from .bundle import image_tag, is_notebook
from .movies import film_tag, load, player
from .strips import filmstrip_image, pick
from .tables import cells, page, table

EVERY = "all"
LISTED = 200                     # clips in the list of the browser; a narrower search shows the others


def explorer(clips, kind=None):
    """Show a browser over a list of Clip: words to search, menus of kinds and concepts, a list, and the chosen clip with its record.

    kind: Clip -> text (default: its modality, else its category). A page that is not running shows no widgets: call `explorer_page(clip)`
    in the next cell. `found(clips, ...)` is the search behind it.
    """
    if not clips:
        raise KitError("explorer was handed no clips; make the stage that holds them first.")
    kind = kind or kind_of
    if not is_notebook():
        print("  ".join(f"{name}: {count} clips" for name, count in Counter(map(kind, clips)).items()), flush=True)
        return
    from IPython.display import display

    display(Explorer(clips, kind).view)


def explorer_page(clip):
    """Show one Clip: filmstrip, player and its record."""
    player(clip, alt=described(clip))
    table(record(clip), caption=clip.video_name)


def kind_of(clip):
    """The modality of a simulated clip, the category of any other."""
    return clip.factors.get("modality") or clip.video_category


def found(clips, words="", kind="", concept="", kind_of=kind_of):
    """The clips whose name or captions hold all `words` (in any case and order), of this kind, with this concept; "" asks nothing."""
    wanted = words.casefold().split()
    out = []
    for clip in clips:
        text = " ".join((clip.video_name, clip.brief_caption, clip.detailed_caption)).casefold()
        if all(word in text for word in wanted) and kind in ("", kind_of(clip)) and (not concept or concept in clip.concepts):
            out.append(clip)
    return out


def described(clip):
    """A clip in words, for a reader who cannot see it."""
    motion = f" Camera: {clip.camera_motion_type}." if clip.camera_motion_type else ""
    return f"{clip.video_category}: {clip.detailed_caption or clip.brief_caption or clip.video_name}{motion}"


def record(clip):
    """{field: value} of what a reader wants to know of a clip; empty fields are left out."""
    facts = {"brief caption": clip.brief_caption, "detailed caption": clip.detailed_caption, "category": clip.video_category,
             "size": f"{clip.resolution} pixels, {clip.duration:.1f} s at {clip.fps:g} frames a second", "source": clip.source,
             "licence": clip.licence, "split": clip.split, "concepts": clip.concepts,
             "factors": [f"{key} = {value}" for key, value in clip.factors.items()]}
    return {key: value for key, value in facts.items() if value}


class Explorer:
    """The widget behind `explorer`. view: what is shown; words, kind, concept: the filters; list: the clips that are left."""

    def __init__(self, clips, kind=kind_of):
        import ipywidgets as widgets

        self.clips, self.kind_of = list(clips), kind
        wide = {"style": {"description_width": "initial"}}
        concepts = Counter(concept for clip in clips for concept in set(clip.concepts))
        self.words = widgets.Text(description="search", placeholder="words of a caption", continuous_update=False, **wide)
        self.kind = widgets.Dropdown(options=self.menu(Counter(map(kind, clips))), description="kind", **wide)
        self.concept = widgets.Dropdown(options=self.menu(concepts), description="concept", **wide)
        self.said, self.place = widgets.HTML(), widgets.HTML()
        self.list = widgets.Select(rows=8, layout={"width": "min(100%, 760px)"})
        for widget in (self.words, self.kind, self.concept):
            widget.observe(self.fill, "value")
        self.list.observe(lambda change: self.show(change["new"]), "value")
        filters = widgets.HBox([self.words, self.kind, self.concept], layout={"flex_flow": "row wrap"})
        self.view = widgets.VBox([filters, self.said, self.list, self.place])
        self.fill()

    @staticmethod
    def menu(counts):
        """Options of a menu, commonest first."""
        return [(EVERY, ""), *((f"{name} ({count})", name) for name, count in counts.most_common())]

    def fill(self, _=None):
        """Apply the filters to the list. Nothing is drawn before the reader chooses."""
        self.left = found(self.clips, self.words.value, self.kind.value, self.concept.value, self.kind_of)
        self.list.options = [("choose a clip", -1), *((self.line(clip), k) for k, clip in enumerate(self.left[:LISTED]))]
        more = f"; the first {LISTED} are listed" if len(self.left) > LISTED else ""
        self.said.value = f'<span role="status">{len(self.left)} of {len(self.clips)} clips{more}</span>'
        self.list.value = -1

    def line(self, clip):
        """A clip in the list."""
        text = clip.brief_caption or clip.video_name
        return f"{self.kind_of(clip)}: {text[:110]}{'...' * (len(text) > 110)}"

    def show(self, number):
        """Show clip `number` of the list; -1 clears the place."""
        if number is None or number < 0:
            self.place.value = ""
            return
        clip = self.left[number]
        try:
            frames, fps = load(clip, clip.fps)
        except (KitError, OSError) as error:
            self.place.value = f'<p role="alert">This clip can not be shown: {html.escape(str(error))}</p>'
            return
        text = described(clip)
        strip = image_tag(filmstrip_image(pick(frames, 8), labels=[""] * min(8, len(frames)), columns=8), text)
        self.place.value = (f"<h4>{html.escape(clip.video_name)}</h4>{strip}<br>{film_tag(frames, text, fps)}"
                            f"{page(*cells([{'field': key, 'value': value} for key, value in record(clip).items()]))}")
