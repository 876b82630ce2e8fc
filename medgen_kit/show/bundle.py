"""One display bundle: the picture, its alt text as text/plain, and the alt again in the picture's metadata.

`IPython.display.Image(alt=...)` fails on older IPython (Colab), so the bundle is sent raw. In plain Python the alt text is printed.
"""

import html
import io

from ..errors import KitError

LIMIT_KB = 60                    # of one picture; a notebook may weigh 300 KB
CAPTION = '<p style="margin:0 0 8px 0; color:#444; font-style:italic; max-width:900px">{}</p>'


def is_notebook():
    """True inside a Jupyter kernel, False in a script or a terminal."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    shell = get_ipython()
    return shell is not None and shell.has_trait("kernel") and shell.kernel is not None


def send(data, alt, caption="", metadata=None):
    """Show `data` (MIME type -> content) with `alt` as its text twin, then the caption. KitError when alt is empty."""
    alt = " ".join(str(alt or "").split())
    if not alt:
        raise KitError("every picture needs an alt text: one sentence for a reader who cannot see it, for example "
                       "alt='Nine frames of a beating heart; the left ventricle shrinks and opens again.'")
    if not is_notebook():
        print(f"[{alt}]" + (f"\n{caption}" if caption else ""), flush=True)
        return
    from IPython.display import display

    metadata = metadata or {mime: {"alt": alt} for mime in data if mime.startswith("image/")}
    display({**data, "text/plain": alt}, metadata=metadata, raw=True)
    if caption:
        display({"text/html": CAPTION.format(html.escape(caption)), "text/plain": caption}, raw=True)


def send_image(image, alt, caption="", limit_kb=LIMIT_KB):
    """Show a Pillow image, encoded to at most `limit_kb` (see `encode`)."""
    import base64

    mime, data = encode(image, limit_kb)
    send({mime: base64.b64encode(data).decode()}, alt, caption)


def send_again(image, alt, place, limit_kb=LIMIT_KB):
    """Show a Pillow image in the same spot of the page each time. place: what the last call returned (None at first); returns it again.
    In plain Python nothing is shown."""
    import base64

    if not is_notebook():
        return None
    from IPython.display import display

    mime, data = encode(image, limit_kb)
    bundle, about = {mime: base64.b64encode(data).decode(), "text/plain": alt}, {mime: {"alt": alt}}
    if place is None:
        return display(bundle, metadata=about, raw=True, display_id=True)
    place.update(bundle, metadata=about, raw=True)
    return place


def encode(image, limit_kb=LIMIT_KB):
    """(MIME type, bytes) of a Pillow image: flat drawings as PNG, photographs as JPEG, at most `limit_kb` once in base64.

    Quality falls step by step down to a floor that still looks clean; after that the picture itself is made smaller.
    """
    limit, image = limit_kb * 1000 * 3 / 4, image.convert("RGB")
    flat = png(image.quantize(256, dither=0) if image.getcolors(256) is None else image)
    drawn = image.getcolors(20_000) is not None         # few colours: lines, bars and text
    if drawn and len(flat) <= limit:
        return "image/png", flat
    while True:
        for quality in (88, 80, 72, 64, 56, 48, 42):
            data = jpeg(image, quality)
            if len(data) <= limit:
                return "image/jpeg", data
        image = image.resize((max(64, round(image.width * 0.9)), max(1, round(image.height * 0.9))), 1)
        if image.width <= 64:
            return "image/jpeg", data


def image_tag(image, alt, limit_kb=LIMIT_KB):
    """A Pillow image as an HTML element, for a page or a widget (see `encode`)."""
    import base64

    mime, data = encode(image, limit_kb)
    return (f'<img style="max-width:100%" alt="{html.escape(alt, True)}" '
            f'src="data:{mime};base64,{base64.b64encode(data).decode()}">')


def starter(script):
    """HTML that runs JavaScript once it is drawn in a widget, where <script> is ignored: `this` is an invisible image of one pixel."""
    pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
    return f'<img alt="" width="1" height="1" src="{pixel}" onload="{html.escape(script, True)}">'


def png(image):
    """PNG bytes of a Pillow image."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def jpeg(image, quality):
    """JPEG bytes of a Pillow image; colour at full resolution where the quality is good (small coloured text stays readable)."""
    options = {"quality": quality, "subsampling": 0 if quality > 60 else 2}
    for smaller in ({"optimize": True, "progressive": True}, {}):       # Pillow cannot optimise what is nearly noise
        buffer = io.BytesIO()
        try:
            image.save(buffer, "JPEG", **options, **smaller)
            return buffer.getvalue()
        except OSError:
            continue
    raise KitError("the picture could not be encoded as JPEG; make it smaller.")
