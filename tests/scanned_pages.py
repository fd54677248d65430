"""Pages of text as scanners and telephones give them, drawn here: the text is known to the letter."""

from __future__ import annotations

import io
import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

LETTER = (
    "Harbour Clinic, Discharge letter",
    "Patient: Ada Example, born 12 March 1948",
    "Ms Example was admitted on 2 April 2031 with shortness of",
    "breath. An echocardiogram showed an ejection fraction of 45 %.",
    "Medication: Ramipril 5 mg once daily, Torasemide 10 mg.",
    "Weight at discharge: 71.4 kg. Blood pressure 138/84 mmHg.",
    "The next appointment is on 4 May 2031 at 10:30.",
    "Please contact ward.b4@harbour.example if fever above",
    "38.5 C persists for two days, or call +44 20 7946 0102.",
    "Dr Imani Okoro, Department of Cardiology",
)
_FONTS = ("DejaVuSans.ttf", "DejaVuSerif.ttf", "LiberationSans-Regular.ttf", "LiberationSerif-Regular.ttf")


def font(size: int, which: int = 0) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """A font of the machine, else the one that comes with the imaging library."""
    for name in (_FONTS[which % len(_FONTS)], *_FONTS):
        for folder in ("dejavu", "liberation", "liberation2"):
            path = Path("/usr/share/fonts/truetype") / folder / name
            if path.exists():
                return ImageFont.truetype(str(path), size)
    return ImageFont.load_default(size)


def page(lines: tuple[str, ...] = LETTER, *, which: int = 0, size: int = 26, gap: int = 54) -> Image.Image:
    made = Image.new("RGB", (1240, max(620, 120 + gap * len(lines))), "white")
    draw = ImageDraw.Draw(made)
    for n, line in enumerate(lines):
        draw.text((60, 50 + gap * n), line, "black", font(size, which))
    return made


def columns(left: tuple[str, ...], right: tuple[str, ...], title: str) -> Image.Image:
    made = Image.new("RGB", (1400, 900), "white")
    draw = ImageDraw.Draw(made)
    draw.text((60, 40), title, "black", font(34))
    for column, lines in ((60, left), (740, right)):
        for n, line in enumerate(lines):
            draw.text((column, 140 + 44 * n), line, "black", font(24))
    return made


def noisy(clean: Image.Image, seed: int = 7) -> Image.Image:
    """As from a copier that needs cleaning: blurred, grey, with specks and a shadow."""
    dice = random.Random(seed)
    grey = clean.convert("L").filter(ImageFilter.GaussianBlur(0.8))
    grain = Image.effect_noise(clean.size, 48)
    made = Image.blend(grey, grain, 0.25).convert("RGB")
    draw = ImageDraw.Draw(made)
    for _ in range(600):
        x, y = dice.randrange(clean.width), dice.randrange(clean.height)
        draw.point((x, y), fill=dice.choice(("black", "white")))
    return made


def as_bytes(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **options)  # type: ignore[arg-type]
    return made.getvalue()


def scan(*pages: Image.Image) -> bytes:
    """A PDF of pictures: none of its pages holds any text."""
    made = io.BytesIO()
    pages[0].save(made, "PDF", save_all=True, append_images=list(pages[1:]), resolution=150)
    return made.getvalue()


def errors(truth: str, read: str) -> int:
    """Levenshtein's distance: characters to put in, take out or change."""
    row = list(range(len(read) + 1))
    for n, wanted in enumerate(truth, 1):
        last, row[0] = row[0], n
        for m, got in enumerate(read, 1):
            last, row[m] = row[m], min(row[m] + 1, row[m - 1] + 1, last + (wanted != got))
    return row[-1]


def rate(truth: str, read: str) -> float:
    """The character error rate, white space counted as one space each."""
    wanted, got = " ".join(truth.split()), " ".join(read.split())
    return errors(wanted, got) / len(wanted)
