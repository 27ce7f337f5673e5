"""Loops and switches of code that is emitted rather than compiled from Python."""

from collections.abc import Callable, Mapping
from typing import Any

from llvmlite import ir

from fastbp.kernels.vectors.types import INT64

__all__ = ["emit_cases", "emit_loop"]


def emit_loop(builder: Any, first: Any, end: Any, step: Any, body: Callable[[Any], None]) -> None:
    """Emit ``for index in range(first, end, step): body(index)``, for a positive step."""
    before = builder.block
    loop, after = builder.append_basic_block("loop"), builder.append_basic_block("loop.end")
    builder.cbranch(builder.icmp_signed("<", first, end), loop, after)
    builder.position_at_end(loop)
    index = builder.phi(INT64)
    index.add_incoming(first, before)
    body(index)
    following = builder.add(index, step)
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, end), loop, after)
    builder.position_at_end(after)


def emit_cases(builder: Any, code: Any, cases: Mapping[int, Any], body: Callable[[Any], None]) -> None:
    """Emit a switch on `code`, known at run time, that runs ``body(cases[code])``; other codes do nothing."""
    after = builder.append_basic_block("switch.end")
    switch = builder.switch(code, after)
    for number, case in cases.items():
        block = builder.append_basic_block(f"case.{number}")
        switch.add_case(ir.Constant(INT64, number), block)
        builder.position_at_end(block)
        body(case)
        builder.branch(after)
    builder.position_at_end(after)
