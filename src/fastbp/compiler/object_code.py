"""Machine code from the disk into memory, without LLVM.

LLVM's own loader takes 8 MB of a process for kernels of 0.2 MB: code and tables of LLVM that nothing else touches.
A compiler leaves an object file (the ELF format of Linux and the BSDs): sections of
code and data, names, and a list of places where the address of a name has to be filled in. Numba lets LLVM compile
for the "large" code model of x86-64, in which each of these places is a whole address: 64 bits, absolute or counted
from the place itself.

References
----------
System V Application Binary Interface, chapters 4 ("Object Files") and 5 ("Program Loading and Dynamic Linking"), and
its AMD64 supplement, section 4.4 ("Relocation").
"""

import ctypes
import mmap
import os
import sys
from collections.abc import Callable

import numpy as np

from fastbp.compiler.target import IS_X86

__all__ = ["ObjectCode", "UnfitCodeError"]

_HEADER = np.dtype(
    [
        ("magic", "V4"),
        ("format", "V12"),
        ("kind", "<u2"),
        ("machine", "<u2"),
        ("version", "<u4"),
        ("entry", "<u8"),
        ("programs", "<u8"),
        ("sections", "<u8"),
        ("flags", "<u4"),
        ("size", "<u2"),
        ("program_size", "<u2"),
        ("program_count", "<u2"),
        ("section_size", "<u2"),
        ("section_count", "<u2"),
        ("names", "<u2"),
    ]
)
_SECTION = np.dtype(
    [
        ("name", "<u4"),
        ("kind", "<u4"),
        ("flags", "<u8"),
        ("address", "<u8"),
        ("offset", "<u8"),
        ("size", "<u8"),
        ("link", "<u4"),
        ("info", "<u4"),
        ("alignment", "<u8"),
        ("entry_size", "<u8"),
    ]
)
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_RELOCATION = np.dtype([("offset", "<u8"), ("kind", "<u4"), ("symbol", "<u4"), ("addend", "<i8")])

_RELOCATABLE, _X86_64 = 1, 62  # kind and machine of the file
_SYMBOLS, _RELOCATIONS, _NO_BITS, _UNWIND = 2, 4, 8, 0x70000001  # kinds of sections
_WRITABLE, _ALLOCATED = 1, 2  # flags of sections
_UNDEFINED, _ABSOLUTE, _COMMON, _LARGE_COMMON = 0, 0xFFF1, 0xFFF2, 0xFF02  # in the place of a symbol's section
_ABSOLUTE_64, _RELATIVE_64 = 1, 24  # kinds of relocations


class UnfitCodeError(Exception):
    """This object file, or this system, wants more of a loader than is here."""


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _system_call(name: str, *arguments: object) -> int:
    call = getattr(ctypes.CDLL(None, use_errno=True), name)
    call.restype = ctypes.c_ssize_t
    result = call(*arguments)
    if result == -1:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")
    return result


def _map(size: int) -> int:
    """Return the address of new pages. They are not Python's, which would let them go while threads run in them."""
    access, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return _system_call("mmap", None, ctypes.c_size_t(size), access, kind, -1, ctypes.c_ssize_t(0))


def _register_unwinding(address: int) -> None:
    """Tell who walks up the stack, to end a thread say, how to go through the code; see `__register_frame` of GCC."""
    ctypes.CDLL("libgcc_s.so.1")["__register_frame"](ctypes.c_void_p(address))


class ObjectCode:
    """An object file in memory, ready to run; it stays there until the process ends.

    Parameters
    ----------
    code : bytes
        The file.
    address_of : callable
        Returns the address of a name that the file does not define, or None.

    Attributes
    ----------
    addresses : dict of str to int
        Where the names are that the file defines.

    Raises
    ------
    UnfitCodeError
        If only a real linker can do this.
    """

    def __init__(self, code: bytes, address_of: Callable[[str], int | None]) -> None:
        if sys.platform != "linux" or not IS_X86:
            raise UnfitCodeError("neither Linux nor x86-64")
        try:
            self._parse(code)
            self._load(code, address_of)
        except (OSError, AttributeError) as error:  # the system
            raise UnfitCodeError(str(error)) from error
        except (ValueError, IndexError, OverflowError) as error:  # NumPy, for parts that are not inside of the file
            raise UnfitCodeError(str(error)) from error

    def _parse(self, code: bytes) -> None:
        header = np.frombuffer(code, _HEADER, 1)[0]
        if bytes(header["magic"]) != b"\x7fELF" or (header["kind"], header["machine"]) != (_RELOCATABLE, _X86_64):
            raise UnfitCodeError("no object file for x86-64")
        self._sections = np.frombuffer(code, _SECTION, int(header["section_count"]), int(header["sections"]))
        tables = self._sections[self._sections["kind"] == _SYMBOLS]
        if len(tables) != 1:
            raise UnfitCodeError("no table of names")
        table = tables[0]
        self._symbols = np.frombuffer(code, _SYMBOL, int(table["size"]) // _SYMBOL.itemsize, int(table["offset"]))
        strings = self._sections[table["link"]]
        self._names = code[int(strings["offset"]) : int(strings["offset"] + strings["size"])]

    def _name(self, symbol: np.void) -> str:
        start = int(symbol["name"])
        return self._names[start : self._names.index(b"\0", start)].decode()

    def _place(self) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Lay out memory: what is only read, from a page of its own what is written.

        Returns the offsets of sections and of common symbols, and the sizes of the first part and of all.
        """
        allocated = self._sections["flags"] & _ALLOCATED != 0
        writable = self._sections["flags"] & _WRITABLE != 0
        offsets = np.zeros(len(self._sections), dtype=np.int64)
        commons = np.zeros(len(self._symbols), dtype=np.int64)
        end = 0

        def add(size: int, alignment: int) -> int:
            nonlocal end
            start = _round_up(end, max(alignment, 1))
            end = start + size
            return start

        for index in np.flatnonzero(allocated & ~writable):
            section = self._sections[index]
            # Lists for unwinding end with a word of zeros.
            offsets[index] = add(int(section["size"]) + 4 * (section["kind"] == _UNWIND), int(section["alignment"]))
        read_only = end = _round_up(end, mmap.PAGESIZE)
        for index in np.flatnonzero(allocated & writable):
            offsets[index] = add(int(self._sections[index]["size"]), int(self._sections[index]["alignment"]))
        for index in np.flatnonzero(np.isin(self._symbols["section"], (_COMMON, _LARGE_COMMON))):
            commons[index] = add(int(self._symbols[index]["size"]), int(self._symbols[index]["value"]))
        return offsets, commons, read_only, _round_up(end, mmap.PAGESIZE)

    def _load(self, code: bytes, address_of: Callable[[str], int | None]) -> None:
        offsets, commons, read_only, size = self._place()
        base = _map(size)
        try:
            image = np.frombuffer(memoryview((ctypes.c_uint8 * size).from_address(base)), np.uint8)
            values = self._values(base, offsets, commons, address_of)
            self._fill(code, image, base, offsets, values)
            # Pages are written to or run, never both.
            code_pages = ctypes.c_void_p(base), ctypes.c_size_t(read_only)
            _system_call("mprotect", *code_pages, mmap.PROT_READ | mmap.PROT_EXEC)
            for index in np.flatnonzero(self._sections["kind"] == _UNWIND):
                _register_unwinding(base + int(offsets[index]))
        except BaseException:
            _system_call("munmap", ctypes.c_void_p(base), ctypes.c_size_t(size))
            raise
        # Those that other files may use: neither local ones nor those of others.
        public = np.flatnonzero((self._symbols["section"] != _UNDEFINED) & (self._symbols["info"] >> 4 != 0))
        self.addresses = {self._name(self._symbols[index]): int(values[index]) for index in public}

    def _fill(self, code: bytes, image: np.ndarray, base: int, offsets: np.ndarray, values: np.ndarray) -> None:
        for section, offset in zip(self._sections, offsets.tolist(), strict=True):
            if section["flags"] & _ALLOCATED and section["kind"] != _NO_BITS:
                start, length = int(section["offset"]), int(section["size"])
                image[offset : offset + length] = np.frombuffer(code, np.uint8, length, start)
        for section in self._sections[self._sections["kind"] == _RELOCATIONS]:
            if self._sections[section["info"]]["flags"] & _ALLOCATED:
                self._relocate(code, section, image, base, int(offsets[section["info"]]), values)

    def _values(
        self, base: int, offsets: np.ndarray, commons: np.ndarray, address_of: Callable[[str], int | None]
    ) -> np.ndarray:
        """Addresses of all symbols."""
        values = np.zeros(len(self._symbols), dtype=np.uint64)
        for index, symbol in enumerate(self._symbols):
            section, value = int(symbol["section"]), int(symbol["value"])
            if section == _UNDEFINED and index > 0:
                name = self._name(symbol)
                address = address_of(name)
                if not address:
                    raise UnfitCodeError(f"unknown name {name}")
                values[index] = address
            elif section in (_COMMON, _LARGE_COMMON):
                values[index] = base + int(commons[index])
            elif section == _ABSOLUTE:
                values[index] = value
            elif section != _UNDEFINED:
                values[index] = base + int(offsets[section]) + value
        return values

    def _relocate(
        self, code: bytes, section: np.void, image: np.ndarray, base: int, target: int, values: np.ndarray
    ) -> None:
        """Fill in the addresses in the section that lies at `target`."""
        count = int(section["size"]) // _RELOCATION.itemsize
        relocations = np.frombuffer(code, _RELOCATION, count, int(section["offset"]))
        if not np.isin(relocations["kind"], (_ABSOLUTE_64, _RELATIVE_64)).all():
            raise UnfitCodeError("a relocation of another code model")
        places = target + relocations["offset"].astype(np.int64)
        filled = values[relocations["symbol"]] + relocations["addend"].astype(np.uint64)
        relative = relocations["kind"] == _RELATIVE_64
        filled[relative] -= (base + places[relative]).astype(np.uint64)
        image[places[:, None] + np.arange(8)] = filled.astype("<u8").view(np.uint8).reshape(-1, 8)
