"""``fastbp example``: an invented table to try the commands on."""

import io
import sys
from typing import Any

import numpy as np
import pandas as pd

from fastbp.cli._errors import CommandError

# Years at school, and the share of the people.
EDUCATIONS = {"Some school": (9, 0.15), "High school": (12, 0.4), "College": (14, 0.2), "Bachelor": (16, 0.17)}
EDUCATIONS |= {"Master": (18, 0.06), "Doctorate": (21, 0.02)}
# What a profession adds to the chance of a high income.
OCCUPATIONS = {"Sales": 0.3, "Craft": 0.1, "Clerical": -0.2, "Management": 0.9, "Service": -0.9, "Research": 0.5}
EMPLOYERS = ("Private", "Self-employed", "Government")
FAMILIES = ("Married", "Never married", "Divorced", "Widowed")
FIRST_DAY, LAST_DAY = np.datetime64("1995-01-01"), np.datetime64("2024-12-31")
SHARE_MISSING = 0.05
ROWS_AT_ONCE = 100_000


def write_people(n: int, seed: int) -> None:
    """Write a table of people to stdout: who they are, what they do, and whether they earn more than 50,000 a year.

    It resembles the census table "Adult", and has what tables have: missing values, amounts of money, dates, a
    column of row numbers, and a constant one.

    Parameters
    ----------
    n : int
        Number of rows.
    seed : int
    """
    rng = np.random.default_rng(seed)
    for first in range(0, n, ROWS_AT_ONCE):
        text = io.StringIO()
        people = make_people(first + 1, min(n, first + ROWS_AT_ONCE), rng)
        people.to_csv(text, index=False, header=first == 0, lineterminator="\n")
        sys.stdout.write(text.getvalue())
        sys.stdout.flush()
        if failure := getattr(sys.stdout, "failure", None):
            if isinstance(failure, BrokenPipeError):  # the reader, head for example, has enough
                return
            raise CommandError(f"cannot write the table to standard output: {failure.strerror}")


def make_people(first: int, last: int, rng: np.random.Generator) -> pd.DataFrame:
    """Make some rows of the table of `write_people`, given by the numbers of the first and of the last one."""
    n = last - first + 1
    years, shares = zip(*EDUCATIONS.values(), strict=True)
    school = rng.choice(len(EDUCATIONS), size=n, p=shares)
    age = np.clip(rng.normal(40.0, 13.0, n), 17, 90).astype(int)
    occupation = rng.integers(len(OCCUPATIONS), size=n)
    family = rng.choice(len(FAMILIES), size=n, p=(0.48, 0.33, 0.15, 0.04))
    hours = np.clip(np.round(rng.normal(40.0, 10.0, n) * 2) / 2, 5, 80)
    gain = np.where(rng.random(n) < 0.1, rng.lognormal(8.0, 1.0, n), 0.0)
    hired = FIRST_DAY + rng.integers((LAST_DAY - FIRST_DAY).astype(int) + 1, size=n)
    advantage = (
        0.35 * (np.array(years)[school] - 13)
        - 0.002 * (age - 50) ** 2
        + np.array(list(OCCUPATIONS.values()))[occupation]
        + 1.6 * (family == 0)
        + 0.06 * (hours - 40)
        + 0.0004 * gain
    )
    rich = advantage + rng.logistic(0.0, 0.5, n) > 1.0
    table: dict[str, Any] = {
        "person": np.arange(first, last + 1),
        "age": age,
        "employer": np.array(EMPLOYERS)[rng.choice(len(EMPLOYERS), size=n, p=(0.75, 0.11, 0.14))],
        "education": np.array(list(EDUCATIONS))[school],
        "family": np.array(FAMILIES)[family],
        "occupation": np.array(list(OCCUPATIONS))[occupation],
        "hours per week": hours,
        "capital gain": [f"${amount:,.2f}" for amount in gain],
        "hired": hired,
        "country": "Utopia",
        "income": np.where(rich, ">50K", "<=50K"),
    }
    for name in ("employer", "occupation"):
        table[name] = np.where(rng.random(n) < SHARE_MISSING, "?", table[name])
    return pd.DataFrame(table)
