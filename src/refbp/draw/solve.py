r"""One problem behind layers, rows and columns: coordinates with gaps between them and lines as short as can be.

.. math::
    \min_x \sum_{(a, b)} w_{ab} \, |x_a - x_b| \quad \text{such that} \quad x_b \ge x_a + g_{ab}

Gansner, Koutsofios, North and Vo solve it by the network simplex ("A technique for drawing directed graphs",
IEEE Trans. Softw. Eng. 1993, sections 2 and 4). Here blocks are moved as long as that shortens the total length of
the lines. The code is shorter, and it finds the optimum in all but entangled cases.
"""

from collections.abc import Sequence

Gap = tuple[int, int, float]
"""``(a, b, g)``: b comes at least g after a."""

Pull = tuple[int, int, float]
"""``(a, b, w)``: a and b want to be level; a distance of one costs w."""


def longest_paths(n: int, gaps: Sequence[Gap]) -> list[float]:
    """Put every item as low as the gaps allow, the lowest at zero.

    Raises
    ------
    ValueError
        If the gaps go round in a circle.
    """
    after: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    waiting = [0] * n
    for a, b, g in gaps:
        after[a].append((b, g))
        waiting[b] += 1
    x = [0.0] * n
    free = [i for i in range(n) if waiting[i] == 0]
    for a in free:
        for b, g in after[a]:
            x[b] = max(x[b], x[a] + g)
            waiting[b] -= 1
            if waiting[b] == 0:
                free.append(b)
    if len(free) < n:
        raise ValueError("gaps go round in a circle")
    return x


class Settler:
    """Moves blocks of items until no move shortens the lines."""

    def __init__(self, x: Sequence[float], gaps: Sequence[Gap], pulls: Sequence[Pull]) -> None:
        n = len(x)
        self.x = list(x)
        # Gaps by direction of a move: who stands in the way of an item that goes up, or down.
        self.ahead: dict[int, list[list[tuple[int, float]]]] = {+1: [[] for _ in range(n)], -1: [[] for _ in range(n)]}
        for a, b, g in gaps:
            self.ahead[+1][a].append((b, g))
            self.ahead[-1][b].append((a, g))
        self.pulls: list[list[tuple[int, float]]] = [[] for _ in range(n)]
        for a, b, w in pulls:
            if a != b:
                self.pulls[a].append((b, w))
                self.pulls[b].append((a, w))

    def block(self, start: int, side: int, with_level: bool) -> list[int]:
        """Collect what must move along with an item: those it touches, and perhaps those it is level with."""
        x, found, stack = self.x, {start: None}, [start]
        while stack:
            i = stack.pop()
            touched = [j for j, g in self.ahead[side][i] if side * (x[j] - x[i]) <= g]
            if with_level:
                touched += [j for j, _ in self.pulls[i] if x[j] == x[i]]
            for j in touched:
                if j not in found:
                    found[j] = None
                    stack.append(j)
        return list(found)

    def try_block(self, block: list[int], side: int) -> bool:
        """Move a block to one side, up to the next touch or the next line that is straight, if that pays."""
        x, inside = self.x, set(block)
        rate, room = 0.0, float("inf")
        for i in block:
            for j, w in self.pulls[i]:
                if j not in inside:
                    distance = side * (x[j] - x[i])
                    rate += -w if distance > 0 else w
                    if distance > 0:
                        room = min(room, distance)
            for j, g in self.ahead[side][i]:
                if j not in inside:
                    room = min(room, side * (x[j] - x[i]) - g)
        if rate >= 0 or room == float("inf"):
            return False
        for i in block:
            x[i] += side * room
        return True

    def settle(self) -> list[float]:
        """Return the coordinates, the lowest at zero, when no move shortens the lines any more."""
        moved = True
        while moved:
            moved = False
            for i in range(len(self.x)):
                for side in (+1, -1):
                    for with_level in (False, True):
                        while self.try_block(self.block(i, side, with_level), side):
                            moved = True
        low = min(self.x, default=0.0)
        return [x - low for x in self.x]


def solve(n: int, gaps: Sequence[Gap], pulls: Sequence[Pull]) -> list[float]:
    """Find coordinates of n items; see the module. Whole gaps give whole coordinates."""
    return Settler(longest_paths(n, gaps), gaps, pulls).settle()
