"""The dependency rules, in one place: which folder may include what, and which symbols the pure libraries may need.

A folder is a CMake target is a dependency rule. `links` is what the folder's target links in CMakeLists.txt (checked
to be the same there); what a folder may include follows from it: the headers of what it links, directly or through another
folder, and the kinds of system headers named in `system`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# What a library of CMake's brings, as prefixes of include paths.
LIBRARIES: dict[str, tuple[str, ...]] = {
    "Boost::headers": ("boost/",),
    "Boost::json": ("boost/json",),
    "plimsoll_asio": ("boost/",),
    "spdlog::spdlog_header_only": ("spdlog/", "fmt/"),
    "CLI11::CLI11": ("CLI/",),
    "plimsoll_flags": (),
}


@dataclass(frozen=True)
class Folder:
    """One folder of sources (not its sub-folders) and what its target may see."""

    target: str
    links: tuple[str, ...]
    system: tuple[str, ...]  # of "pure" (PURE_STD), "std", "posix"
    also: tuple[str, ...] = ()  # include prefixes that come without a CMake target
    only: dict[str, tuple[str, ...]] = field(default_factory=dict)  # library prefix -> the prefixes of it that are allowed
    std_also: tuple[str, ...] = ()  # headers of std beyond what `system` names


FOLDERS: dict[str, Folder] = {
    "config/plan": Folder("plimsoll_plan", (), ("pure",), std_also=("csignal", "cerrno")),
    "daemon/core": Folder("plimsoll_core", ("plimsoll_plan",), ("pure",), std_also=("csignal", "cerrno")),
    "daemon/sys": Folder("plimsoll_sys", ("Boost::headers",), ("std", "posix"), only={"boost/": ("boost/system",)}),
    "config": Folder("plimsoll_config", ("plimsoll_plan",), ("std", "posix"), also=("toml++/",)),
    "daemon/api/wire": Folder("plimsoll_wire", ("plimsoll_plan", "Boost::json"), ("std",), only={"boost/": ("boost/json", "boost/system")}),
    "daemon/api": Folder("plimsoll_api", ("plimsoll_wire", "plimsoll_sys", "plimsoll_asio"), ("std", "posix")),
    "daemon/run": Folder(
        "plimsoll_run",
        ("plimsoll_core", "plimsoll_sys", "plimsoll_api", "plimsoll_config", "plimsoll_asio", "spdlog::spdlog_header_only"),
        ("std", "posix"),
    ),
    "daemon": Folder("plimsolld", ("plimsoll_run", "CLI11::CLI11"), ("std", "posix")),
    # Its main.cpp is the program and sees CLI11; the rest is a library, so that it can be tested.
    "ctl": Folder("plimsoll_ctl", ("plimsoll_wire", "plimsoll_config"), ("std", "posix"), also=("CLI/",)),
}

# Programs that link a folder's library and are one main.cpp beside it.
PROGRAMS: dict[str, tuple[str, ...]] = {"plimsollctl": ("plimsoll_ctl", "CLI11::CLI11")}

# Headers of std that reach nothing outside. <chrono> is here for its durations (its now() is caught by the symbols), <csignal>
# and <cerrno> in two folders for the names of signals and errors (so are raise, kill and errno itself).
PURE_STD = frozenset(
    """algorithm array bit bitset cassert cctype charconv chrono climits cmath compare concepts cstddef cstdint cstring
    deque functional initializer_list iterator limits list map memory numbers numeric optional queue random ranges set span stack
    stdexcept string string_view tuple type_traits typeindex unordered_map unordered_set utility variant vector version""".split()
)

STD = PURE_STD | frozenset(
    """any atomic barrier cerrno cfenv cfloat cinttypes clocale codecvt complex condition_variable coroutine csetjmp csignal
    cstdarg cstdio cstdlib ctime cuchar cwchar cwctype exception execution filesystem format forward_list fstream future
    iomanip ios iosfwd iostream istream latch locale memory_resource mutex new ostream ratio regex scoped_allocator semaphore
    shared_mutex source_location sstream stdexcept stop_token streambuf string_view strstream syncstream system_error thread
    typeinfo valarray""".split()
)

# The only files outside of which a library may not be seen at all, whatever is linked.
CONFINED: dict[str, str] = {"toml++/": "config", "CLI/": "daemon|ctl", "spdlog/": "daemon/run"}

# Headers that cost half a minute of compiling each time: at most ten translation units may see them.
HEAVY = ("boost/asio", "boost/beast", "boost/process")
HEAVY_LIMIT = 10

PURE_ARCHIVES = {"libplimsoll_plan.a": "config/plan", "libplimsoll_core.a": "daemon/core"}

# What a pure archive may leave to others: memory, strings, containers, exceptions, arithmetic. Matched from the start of the
# demangled name. Anything else (a clock's now(), time, read, write, kill, getenv, localtime, a thread, a stream, a
# locale) is a way to the outside.
PURE_SYMBOLS = (
    r"plimsoll::",
    r"(typeinfo|vtable|typeinfo name|guard variable|VTT) for (plimsoll::|std::(exception|logic_error|runtime_error|bad_\w+|out_of_range|"
    r"invalid_argument|length_error|_Sp_counted)|__cxxabiv1::)",
    r"operator (new|delete)",
    r"std::__throw_\w+",
    r"std::__cxx11::basic_string<char",
    r"std::basic_string_view<char",
    r"std::(_Rb_tree|_Hash_bytes|__detail::_Prime_rehash_policy|__detail::_List_node_base)",
    r"std::(exception|logic_error|runtime_error|bad_\w+|out_of_range|invalid_argument|length_error)::",
    r"std::(terminate|get_new_handler)\(\)|std::nothrow$",
    r"std::(to_chars|from_chars)\(",
    r"std::__glibcxx_assert_fail",
    r"std::_Sp_\w+",
    r"__cxa_\w+$|__gxx_personality_v0$|_Unwind_Resume$|__dso_handle$|_GLOBAL_OFFSET_TABLE_$|__stack_chk_fail$",
    r"(mem(cpy|move|set|cmp|chr)|str(len|cmp|ncmp|chr)|bcmp|abort|__assert_fail|__libc_single_threaded|vsnprintf|__vsnprintf_chk|__mem(cpy|move|set)_chk)$",
    r"(floor|ceil|round|lround|llround|trunc|pow|exp|exp2|log|log2|log10|log1p|sqrt|fmod|nearbyint|ldexp|frexp|nextafter)f?l?$",
    r"__libc_current_sigrt(min|max)$",  # SIGRTMIN is a call, and a constant of the C library
    r"__(u?divti3|u?modti3|muloti4|popcountdi2|floattidf|floatuntidf|fixdfti)$",
)
