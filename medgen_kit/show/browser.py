"""A browser over clips: search their captions, filter by kind and concept, watch. `explorer_page` shows one clip without any widget."""

import html
from collections import Counter

from ..errors import KitError
from .bundle import image_tag, is_notebook
from .finder import Finder, menu
from .movies import film_tag, load, player
from .strips import filmstrip_image, pick
from .tables import cells, page, table

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

    display(finder(clips, kind).view)


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


def finder(clips, kind=kind_of):
    """The widget behind `explorer`."""
    concepts = Counter(concept for clip in clips for concept in set(clip.concepts))

    def line(clip):
        text = clip.brief_caption or clip.video_name
        return f"{kind(clip)}: {text[:110]}{'...' * (len(text) > 110)}"

    return Finder("clip", len(clips), {"kind": (menu(Counter(map(kind, clips)).most_common()), ""),
                                       "concept": (menu(concepts.most_common()), "")},
                  lambda words, of_kind, concept: found(clips, words, of_kind, concept, kind), line, watched)


def watched(clip, _words=""):
    """HTML of one clip: its filmstrip, a player and its record; a sentence where its file can not be read any more."""
    try:
        frames, fps = load(clip, clip.fps)
    except (KitError, OSError) as error:
        return f'<p role="alert">This clip can not be shown: {html.escape(str(error))}</p>'
    text = described(clip)
    strip = image_tag(filmstrip_image(pick(frames, 8), labels=[""] * min(8, len(frames)), columns=8), text)
    rows = page(*cells([{"field": key, "value": value} for key, value in record(clip).items()]))
    return f"<h4>{html.escape(clip.video_name)}</h4>{strip}<br>{film_tag(frames, text, fps)}{rows}"
