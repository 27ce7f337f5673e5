"""Draw docs/img/step.svg, the two phases of a training step. Run ``python docs/img/make_step.py``."""

from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 452
THREADS = ("#2f6db3", "#d97f26")  # one color for each of the two threads
PALE = ("#dbe8f6", "#fae8d5")
INK, GRAY, LINE = "#1c2733", "#5b6875", "#c3ccd5"
FONT = "font-family='Helvetica, Arial, DejaVu Sans, sans-serif'"

ROW_X, TILE_X, TOP = 40, 566, 118
BLOCK, GAP = 84, 12  # height of a thread's share of the rows, space between the two


class Drawing:
    """A list of SVG elements, painted in order."""

    def __init__(self):
        self.parts = []

    def box(self, x, y, width, height, fill, stroke, radius=3):
        self.parts.append(
            f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='{radius}' fill='{fill}' stroke='{stroke}'/>"
        )

    def text(self, x, y, words, size=13, color=INK, weight="normal", anchor="start"):
        self.parts.append(
            f"<text x='{x}' y='{y}' font-size='{size}' fill='{color}' font-weight='{weight}' "
            f"text-anchor='{anchor}'>{escape(words)}</text>"
        )

    def arrow(self, x1, y1, x2, y2, color):
        self.parts.append(
            f"<line x1='{x1}' y1='{y1}' x2='{x2}' y2='{y2}' stroke='{color}' stroke-width='2' marker-end='url(#head)'/>"
        )

    def svg(self):
        head = (
            "<defs><marker id='head' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' "
            f"orient='auto'><path d='M0 0L8 4L0 8z' fill='{GRAY}'/></marker></defs>"
        )
        body = "\n".join(self.parts)
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' "
            f"height='{HEIGHT}' {FONT} role='img' aria-label='The two phases of a training step'>\n{head}\n"
            f"<rect width='{WIDTH}' height='{HEIGHT}' fill='white'/>\n{body}\n</svg>\n"
        )


def row_phase(art):
    """Draw the two threads, each carrying its rows forward and back through all layers."""
    art.text(ROW_X, 40, "1  Row phase", 19, weight="bold")
    art.text(ROW_X, 62, "Each thread takes its rows of the minibatch through all layers,", 13, GRAY)
    art.text(ROW_X, 80, "with the old weights. No thread waits for another.", 13, GRAY)
    steps = (("gather", "x[order]"), ("forward", "act(x·w + b)"), ("loss", "dz = p - y"), ("backward", "dz·wᵀ ⊙ act'"))
    width, space = 92, 20
    for thread, color in enumerate(THREADS):
        y = TOP + thread * (BLOCK + GAP)
        art.box(ROW_X, y, 450, BLOCK, PALE[thread], color)
        art.text(ROW_X + 10, y + 19, f"thread {thread}: rows {64 * thread} to {64 * thread + 63}", 12, color, "bold")
        for index, (what, formula) in enumerate(steps):
            x = ROW_X + 10 + index * (width + space)
            art.box(x, y + 30, width, 42, "white", color)
            art.text(x + width / 2, y + 48, what, 13, weight="bold", anchor="middle")
            art.text(x + width / 2, y + 64, formula, 11, GRAY, anchor="middle")
            if index:
                art.arrow(x - space + 2, y + 51, x - 2, y + 51, GRAY)


def barrier(art, x, name):
    """Draw a barrier: a line that both threads must reach."""
    bottom = TOP + 2 * BLOCK + GAP
    art.parts.append(
        f"<line x1='{x}' y1='{TOP - 8}' x2='{x}' y2='{bottom + 8}' stroke='{INK}' stroke-width='3' "
        "stroke-dasharray='2 5' stroke-linecap='round'/>"
    )
    art.text(x, bottom + 26, name, 12, GRAY, anchor="middle")


def tile_phase(art):
    """Draw the weight matrices, each tile in the color of the thread that updates it."""
    art.text(TILE_X, 40, "2  Tile phase", 19, weight="bold")
    art.text(TILE_X, 62, "Each thread takes its tiles of the weights of all layers.", 13, GRAY)
    art.text(TILE_X, 80, "The gradient exists one tile at a time, in L1.", 13, GRAY)
    cell = 22
    for index, (rows, columns, name) in enumerate(((8, 4, "w₁"), (4, 4, "w₂"), (4, 2, "w₃"))):
        x = TILE_X + (0, 118, 236)[index]
        y = TOP + (176 - rows * cell) / 2
        for row in range(rows):
            for column in range(columns):
                # A thread owns a contiguous range of tiles, counted panel by panel and layer by layer.
                number = (0, 32, 48)[index] + column * rows + row
                thread = int(number >= 28)
                art.box(x + column * cell, y + row * cell, cell - 2, cell - 2, PALE[thread], THREADS[thread], 2)
        art.text(x + columns * cell / 2, y + rows * cell + 18, name, 14, anchor="middle")


def tile_closeup(art):
    """Draw what happens to one tile."""
    y = 356
    art.box(ROW_X, y, 880, 72, "#f5f7f9", LINE, 6)
    art.text(ROW_X + 14, y + 24, "One tile:", 13, weight="bold")
    steps = (
        ("dw = hᵀ·dz", "summed over the minibatch"),
        ("+ decay·w, ÷ S", "weight decay, mean"),
        ("optimizer", "moments and step"),
        ("w, and wᵀ", "for the next row phase"),
    )
    width, space = 172, 24
    for index, (what, note) in enumerate(steps):
        x = ROW_X + 100 + index * (width + space)
        art.box(x, y + 12, width, 48, "white", GRAY)
        art.text(x + width / 2, y + 32, what, 14, weight="bold", anchor="middle")
        art.text(x + width / 2, y + 50, note, 11, GRAY, anchor="middle")
        if index:
            art.arrow(x - space + 3, y + 36, x - 3, y + 36, GRAY)


def main():
    """Write step.svg next to this file."""
    art = Drawing()
    row_phase(art)
    barrier(art, 528, "barrier")
    tile_phase(art)
    barrier(art, 894, "barrier")
    tile_closeup(art)
    Path(__file__).with_name("step.svg").write_text(art.svg(), encoding="utf-8")


if __name__ == "__main__":
    main()
