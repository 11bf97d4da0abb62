"""Characters rendered from the fonts inside matplotlib: a labelled source domain that needs no download.

Each glyph is drawn at a random size, cropped to its ink, posed by a random affine map, sometimes coarsened, and made
noisy; one generator per split, so a split is a pure function of the settings. Rendered once, then cached.
"""

from __future__ import annotations

import hashlib
import json
import os
import string
from pathlib import Path
from zipfile import BadZipFile

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tlx.columns import Image as ImageColumn
from tlx.columns import Label
from tlx.columns.image_scale import BYTES
from tlx.config.cache import cache_folder
from tlx.config.dataset import Glyphs
from tlx.data.source import Source
from tlx.files import durable, regular

_VERSION = 1  # raise it when the drawing changes
_CANVAS, _SIZE = 48, 32
_FONTS = (
    *(
        f"DejaVu{family}{style}"
        for family in ("Sans", "SansMono")
        for style in ("", "-Bold", "-Oblique", "-BoldOblique")
    ),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmss10", "cmtt10"),
)
_CHARACTERS = {
    "letters": string.ascii_uppercase + string.ascii_lowercase,
    "digits": string.digits,
    "both": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}
_MORE = 1 << 16  # bytes that an archive takes beside its content
Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def fingerprint(config: Glyphs) -> str:
    """A hash of everything the images depend on."""
    settings = [_VERSION, matplotlib.__version__, config.characters, config.render_seed]
    sizes = [config.n_train, config.n_val, config.n_test]
    return hashlib.sha256(json.dumps([settings, sizes]).encode()).hexdigest()[:32]


def load(config: Glyphs) -> Source:
    """Images 32 x 32 in uint8, with their characters as classes; rendered once, where that can be kept."""
    notes = []
    kept = _kept(config)
    if kept is None:
        kept = _render_all(config)
        if obstacle := _keep(config, *kept):
            notes.append(f"the glyphs are rendered each time: {obstacle}")
    images, labels = kept
    ends = np.cumsum([config.n_train, config.n_val, config.n_test])
    train, val, test = np.split(np.arange(ends[-1]), ends[:-1])
    return Source(
        columns=[
            ImageColumn("image", channels=1, dtype="float32", scale=BYTES, statistics="backbone"),
            Label("label", classes=tuple(_CHARACTERS[config.characters])),
        ],
        rows={"image": images, "label": labels.astype(np.int64)},
        splits={"train": train, "val": val, "test": test},
        origin=lambda i: f"glyphs[{i}]",
        notes=notes,
    )


def _kept(config: Glyphs) -> tuple[Images, Labels] | None:
    """What was rendered before, or ``None`` where there is nothing, or nothing of this form."""
    count = config.n_train + config.n_val + config.n_test
    try:
        with regular.opened(_file(config)) as stream:
            if os.fstat(stream.fileno()).st_size > count * (_SIZE * _SIZE + 8) + _MORE:  # it is stored as it is
                return None
            with np.load(stream, allow_pickle=False) as stored:
                images, labels = stored["images"], stored["labels"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile):  # none, or torn
        return None
    if images.shape != (count, _SIZE, _SIZE) or images.dtype != np.uint8 or labels.shape != (count,):
        return None
    sound = labels.dtype.kind == "i" and ((labels >= 0) & (labels < len(_CHARACTERS[config.characters]))).all()
    return (images, labels) if sound else None


def _keep(config: Glyphs, images: Images, labels: Labels) -> str:
    """Keep what was rendered; returns why it cannot be, or nothing."""
    try:
        with durable.replacing(_file(config)) as partial, partial.open("wb") as stream:
            np.savez(stream, images=images, labels=labels)
    except OSError as error:
        return f"the cache cannot be written ({regular.reason(error)}); set TLX_CACHE to a folder that can"
    return ""


def _file(config: Glyphs) -> Path:
    return cache_folder("glyphs") / f"{fingerprint(config)}.npz"


def _render_all(config: Glyphs) -> tuple[Images, Labels]:
    characters = _CHARACTERS[config.characters]
    parts = [
        _render_split(characters, count, seed=[config.render_seed, split])
        for split, count in enumerate((config.n_train, config.n_val, config.n_test))
    ]
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _render_split(characters: str, count: int, seed: list[int]) -> tuple[Images, Labels]:
    rng = np.random.default_rng(seed)
    fonts = [path for path in (_font(name) for name in _FONTS) if path.is_file()]
    images = np.empty((count, _SIZE, _SIZE), dtype=np.uint8)
    labels = rng.integers(len(characters), size=count)
    loaded: dict[tuple[Path, int], ImageFont.FreeTypeFont] = {}
    for i, label in enumerate(labels):
        key = (fonts[rng.integers(len(fonts))], int(rng.integers(28, 40)))
        if key not in loaded:
            loaded[key] = ImageFont.truetype(str(key[0]), key[1])
        images[i] = _noisy(_posed(_ink(characters[label], loaded[key], rng), rng), rng)
    return images, labels.astype(np.int64)


def _font(name: str) -> Path:
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{name}.ttf"


def _ink(character: str, font: ImageFont.FreeTypeFont, rng: np.random.Generator) -> Image.Image:
    """White on black, cropped to the ink and rescaled to U(.60, .95) of the canvas, centred."""
    drawn = Image.new("L", (2 * _CANVAS, 2 * _CANVAS))
    stroke = int(rng.integers(2))
    ImageDraw.Draw(drawn).text((_CANVAS, _CANVAS), character, fill=255, font=font, anchor="mm", stroke_width=stroke)
    box = drawn.getbbox() or (0, 0, 1, 1)
    glyph = drawn.crop(box)
    scale = rng.uniform(0.60, 0.95) * _CANVAS / max(glyph.size)
    width, height = (max(1, round(side * scale)) for side in glyph.size)
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    canvas.paste(
        glyph.resize((width, height), Image.Resampling.BILINEAR), ((_CANVAS - width) // 2, (_CANVAS - height) // 2)
    )
    return canvas


def _posed(canvas: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A random affine map about the centre, and half of the time the look of a low-resolution scan."""
    angle, shear = rng.uniform(-0.26, 0.26), rng.uniform(-0.3, 0.3)
    scale = np.diag(rng.uniform(0.8, 1.25, size=2))
    shift = rng.uniform(-2.5, 2.5, size=2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.array([[1.0, shear], [0.0, 1.0]]) @ scale)
    centre = np.full(2, (_CANVAS - 1) / 2)
    offset = centre - inverse @ (centre + shift)
    matrix = (*inverse[0], offset[0], *inverse[1], offset[1])
    posed = canvas.transform(canvas.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    coarse = int(rng.integers(8, 17))
    if rng.random() < 0.5:
        posed = posed.resize((coarse, coarse), Image.Resampling.BOX)
    return posed.resize((_SIZE, _SIZE), Image.Resampling.BILINEAR)


def _noisy(image: Image.Image, rng: np.random.Generator) -> Images:
    values = np.asarray(image, dtype=np.float32) * rng.uniform(0.7, 1.1)
    noisy = values + rng.normal(0.0, rng.uniform(0.0, 18.0), size=values.shape)
    return noisy.clip(0, 255).astype(np.uint8)
