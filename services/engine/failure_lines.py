"""Finds the line that explains a failure in the output of any program. Pure functions.

Each line gets a weight: an error that is named as such, a line with a word for an error, a remark
that only repeats that something failed, or an ordinary line. Stack traces and errors of R become
one line each, with the last frame of the user's own code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from services.engine import snakemake_internals as snakemake

MAX_QUOTE_CHARACTERS = 300  # of a line quoted in a message
MAX_LINE_CHARACTERS = 400  # of a line that are examined
MAX_REMARK_START = 40  # a remark further on in a line is an addition to an error
MAX_MESSAGE_LINES = 3  # of an error that continues on further lines

ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # titles and links
    r"|\x1b[\[(][0-?]*[ -/]*[@-~]|\x1b[@-Z\\^_=>78]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
NO_CONTENT = re.compile(r"^[\s=\-*#~_.+|^│─╭╮╰╯┌┐└┘!>]*$")

#: What names a line as an error at its start, after a time, a program, or a level in brackets.
PREFIX = (
    r"(?:\[[^\]\n]{1,60}\]\s{0,4}|\([^)\n]{1,30}\)\s{0,4}"
    r"|[\d\-/.:,TZ+]{5,35}\s{1,4}|[\w./+\-]{1,80}:\s{1,4})"
)
NAMED_ERROR = re.compile(
    rf"^\W{{0,8}}{PREFIX}{{0,3}}[\W_]{{0,8}}"
    r"(?:(?:fatal|internal|runtime|input|usage|user|parse|i/o|io)[ _]+)*"
    r"(?:error|err|fatal|critical|panic|exception|severe|failure)(?:\s*\[[^\]]*\]|\([^)]*\))?"
    r"(?:\s*[:!\]>]|\s+-+\s|\s+in\s|\s{2,}|\t|\s+\d{3}:|\s+==)"
    r"|\[(?:error|fatal|critical|err|e)\b[^\]]*\]|\[E::|^\W{0,8}\(ERR\)|\bERROR\b|\bFATAL\b"
    r"|\bEXITING because of|USER ERROR has occurred|\berror\s*:"
    r"|^\W{0,8}[A-Z][\w.]*(?:Error|Exception):",
    re.I,
)
KNOWN_ERROR = re.compile(
    r"command not found|: not found$|no such file|permission denied|unbound variable"
    r"|(?:unknown|unrecogni[sz]ed|invalid|illegal|no such|unexpected) (?:option|argument|command)"
    r"|unable to (?:open|read|write|find|locate|load|access|resolve|connect|allocate)"
    r"|(?:can ?not|can't|could not|couldn't|failed to|fail to) (?:be )?\w+|does not exist"
    r"|doesn't exist|required (?:argument|option)|must be (?:specified|given|provided|a |an )"
    r"|connection (?:refused|timed out|reset)|name or service not known|assertion .*failed"
    r"|syntax error|division by zero|is not (?:a valid|valid|installed|recogni[sz]ed)"
    r"|is (?:truncated|corrupt(?:ed)?|malformed)|no space left|cannot allocate|exec format error"
    r"|argument list too long|too many open files|read-only file system|^curl: \(\d+\)",
    re.I,
)
ERROR_WORDS = re.compile(
    r"err(?:or)?s?\b|error|exception|fatal|fail|cannot|can't|could not|couldn't|unable|not found"
    r"|no such|invalid|denied|missing|killed|abort|refused|timed out|mismatch|corrupt|truncated"
    r"|unexpected|illegal|unknown|unsupported|insufficient|too (?:old|few|many|short|large)"
    r"|segmentation|core dumped|panic|错误|失败|无法|找不到",
    re.I,
)
#: Words for errors that say that there is none, or that name an option or a quantity.
HARMLESS = re.compile(
    r"\b(?:0|no|zero|without(?: any)?)\s+(?:\w+\s+){0,2}"
    r"(?:errors?|failures?|fail(?:ed|s)?|exceptions?|missing|invalid|mismatch(?:es)?|problems?)\b"
    r"|\b(?:errors?|failures?|failed|fail|exceptions?|missing|invalid|skipped)(?:\s+\w+){0,2}"
    r"\s*[:=(]\s*0+(?:\.0+)?%?(?![\d.])|(?:errors?|failed)\s+0\b"
    r"|[\w\-]{0,30}error[- _](?:rates?|profiles?|models?|correct\w*|tolerance|bars?|free|prob\w*)"
    r"|error[- ]correct\w*|(?:standard|mean|squared|max(?:imum)?|allowed|estimated|sampling)"
    r"[- _]errors?|--?[\w\-]{0,30}(?:error|fail|missing|invalid|abort)[\w\-]{0,30}"
    r"|[\w./\-]{0,80}(?:error|fail|abort)[\w\-]{0,30}\.(?:log|txt|out|err|tsv|csv)\b"
    r"|ignor\w+ (?:all )?errors?|errors? (?:allowed|ignored|corrected)"
    r"|missing (?:values?|data) (?:as|=)"
    r"|(?:fail\w*|failed) (?:qc|quality|filter)\w*|not found (?:in|,) cache",
    re.I,
)
#: Remarks that something failed, which do not say why.
REMARK = re.compile(
    r"^\[main\] (?:Version|CMD|Real time)|^\s*@ |^Set the system property"
    r"|^\W{0,8}[1-9]\d* (?:\w+ )?errors?\b.{0,20}$"
    r"|^\W{0,8}(?:execution halted|aborted?\b\W{0,8}(?:\(core dumped\))?\W{0,8}$|core dumped"
    r"|terminated\W{0,8}$|killed\W{0,8}$"
    r"|aborting\b.{0,20}$|exiting\b.{0,30}$|quitting\b|segmentation fault\b.{0,20}$|bus error\b"
    r"|(?:fatal )?error,? exiting|(?:there (?:was|were)|(?:an?|some) )\W{0,8}(?:an? )?errors?"
    r"(?: occurred)?\W{0,8}(?:see .*)?$|(?:error|fatal|failed|failure|exception)\W{0,8}$)"
    r"|fatal error,? exiting|\bexit(?:ed|ing)?(?: \w+){0,3}? (?:with )?(?:exit |error |non-zero )*"
    r"(?:code|status|value)\b|(?:exit|return|error)[ _]?(?:code|status)\s*[:=]?\s*-?\d+\W{0,8}$"
    r"|non-?zero (?:exit|return|status)|died with signal|^make(?:\[\d+\])?: \*\*\*"
    r"|(?:check|see|consult|refer to|look at|inspect)\b.{0,40}"
    r"\b(?:log|above|output|stderr|manual|documentation)"
    r"|^\W{0,8}(?:\[?\w*\]?\W{0,8})?(?:error|fatal|info|critical)?\W{0,8}(?:the )?(?:\w+ ){0,3}"
    r"(?:pipeline|step|job|task|command|process|run|program|script|analysis|execution|workflow)"
    r"(?: \S+){0,2} (?:has )?(?:failed|aborted|died|crashed|terminated)\W{0,8}$"
    r"|(?:for (?:more )?(?:help|information|details|usage)|to get help"
    r"|try ['\"`\u2018]?[\w./ -]+(?:--?h(?:elp)?\b|help))"
    r"|instance of '(?:int|char const\*)'|please (?:report|contact|file|submit)"
    r"|finished with errors?\W{0,8}$",
    re.I,
)
#: A line that has only the word for an error.
HEADING = re.compile(r"^\W{0,8}(?:fatal |runtime )?(?:error|exception|failure)\W{0,8}$", re.I)
#: What a program further down a pipe says when the one before it has failed.
CONSEQUENCE = re.compile(
    r"broken ?pipe|EPIPE|[\"'`\u2018\u201c(\s](?:-|/dev/stdin|stdin)[\"'`\u2019\u201d)](?:\W|$)"
    r"|\bstdin\b|standard input"
    r"|from \"?-\"?$|write error: |writing to (?:standard output|stdout)|unexpected end of file$"
    r"|cleanup failed|failed to (?:clean|remove|delete|close)",
    re.I,
)
WARNING = re.compile(
    rf"^\W{{0,8}}{PREFIX}{{0,3}}\W{{0,8}}(?:warn(?:ing)?s?|info|note|debug|notice|hint)\b|\[(?:warn|info|debug|W::|M::)"
    r"|\b\w*Warning: ",
    re.I,
)
#: What a shell prints about a child that a signal killed: no more than its exit status says.
SHELL_REPORT = re.compile(
    r"^.*\bline \d+: +\d+ (Killed|Terminated|Aborted|Segmentation|Bus|Illegal|Floating).*$", re.M
)
USAGE = re.compile(r"^\s*(?:usage|synopsis)\s*(?::|$)", re.I)
SECTION = re.compile(r"^\s*[\w /()\-]{1,40}:\s*$|^\s*[A-Z][A-Z ]{3,30}\s*$")
OPTION = re.compile(r"^\s*-{1,2}[A-Za-z?#][\w\-]{0,30}(?:[ ,=\t<\[/|]|$)")
AFTER_USAGE = re.compile(
    r"^\S{0,60}\s?(?:error|fatal|exception)\b.{0,10}:|^\[E::|^ERROR\b"
    r"|^[\w./\-]+: (?:error|invalid|unknown|unrec)",
    re.I,
)
URL_REQUESTED = re.compile(r"^--\d{4}-\d\d-\d\d [\d:]+--\s+(\S+)")
HTTP_ERROR = re.compile(r"^\d{4}-\d\d-\d\d [\d:]+ ERROR \d{3}: ")

# ---- stack traces --------------------------------------------------------------------------------

PYTHON_TRACEBACK = re.compile(r"^\s*Traceback \(most recent call last\):\s*$")
PYTHON_FRAME = re.compile(r'^\s*File "([^"]+)", line (\d+)(?:, in (.+))?$')
PYTHON_ERROR = re.compile(r"^(?:[A-Za-z_][\w]*\.)*[A-Za-z_]\w*(?::\s?.*|)$")
NOT_OWN_PYTHON = re.compile(
    r"/(?:site|dist)-packages/|/lib(?:64)?/python\d|^<|/python\d[\d.]*/(?!.*/workflow)|/snakemake/"
)
JAVA_ERROR = re.compile(
    r"^\s*(?:\[[^\]]*\]\s*)?(?:Exception in thread \"[^\"]*\"|Caused by:|Suppressed:)?\s*"
    r"((?:[a-z_]\w*\.)+[A-Z][\w$]*(?:: .*)?|[A-Z]\w*(?:Exception|Error)(?:: .*)?)$"
)
JAVA_FRAME = re.compile(r"^\s+at ([\w.$<>/@\-]+)\(([^():]+)(?::(\d+))?\)")
NOT_OWN_JAVA = re.compile(r"^(?:[\w.]+/)?(?:java|javax|jdk|sun|com\.sun|scala|kotlin|groovy)\.")
R_ERROR = re.compile(r"^Error(?: in (.+?))? ?(?:: ?(.*))$|^Error in (.+)$")
R_CALLS = re.compile(r"^Calls: (.+)$")
R_TRACE = re.compile(r"^\s*\d+: .* at ([^ ]+)#(\d+)\s*$")
#: Functions of R that call others, or that an own function calls.
R_INFRASTRUCTURE = frozenset(
    {
        "source",
        "withVisible",
        "eval",
        "lapply",
        "sapply",
        "vapply",
        "mapply",
        "Map",
        "Filter",
        "Reduce",
        "FUN",
        "do.call",
        "tryCatch",
        "tryCatchList",
        "tryCatchOne",
        "doTryCatch",
        "try",
        "withCallingHandlers",
        "suppressMessages",
        "invisible",
        "print",
        "suppressWarnings",
        "suppressPackageStartupMessages",
        "stop",
        "stopifnot",
        "library",
        "require",
        "<Anonymous>",
        "loadNamespace",
        ".handleSimpleError",
        "h",
        "abort",
        "...",
        "local",
        "system.time",
        "standardGeneric",
        "simpleError",
        "read.table",
        "read.csv",
        "read.delim",
        "file",
        "scan",
        "readRDS",
        "match.arg",
        "get",
        "%in%",
        "$",
        "[",
        "[[",
        "[.data.frame",
    }
)
RUST_PANIC = re.compile(r"^thread '[^']*'(?: \(\d+\))? panicked at (?:'(.*)', )?(.+?):?$")
WHAT = re.compile(r"^\s*what\(\):\s*(.*)$")
THROWN = re.compile(r"^terminate called after throwing an instance of '([^']+)'")
RUN_ERROR = re.compile(r'^(?:[\w.]+\.)?(\w+) in file "([^"]+)", line (\d+)(?::|\.)$')
SCRIPT_COPY = re.compile(r"/\.snakemake/scripts/tmp[a-z0-9_]{8}\.(.+)$")
WORKFLOW_COPY = re.compile(r"^.*/workflows/[0-9a-f]{64}/")
RUN_FOLDER = re.compile(r"^.*/runs/[0-9a-f]{24}/")


class Weight(IntEnum):
    """How well a line explains a failure."""

    NOTHING = 0  # no line at all
    ORDINARY = 1  # does not speak of an error
    REMARK = 2  # says only that something failed
    MENTION = 3  # has a word for an error
    CONSEQUENCE = 4  # an error that another one has caused
    ERROR = 5  # named as an error, or a known sentence
    TRACE = 6  # an exception with its trace


@dataclass(frozen=True)
class Reason:
    """The line that explains a failure."""

    text: str = ""
    weight: Weight = Weight.NOTHING
    index: int = 0  # of the line, in the cleaned text

    @property
    def is_error(self) -> bool:
        return self.weight >= Weight.MENTION


def clean(text: str) -> str:
    """Return a text as a terminal shows it: without colours, a line for each state of a bar."""
    text = ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return CONTROL_CHARACTERS.sub("", text)


def find_reason(text: str) -> Reason:
    """Return the line that explains a failure best; of lines with one weight the last one."""
    lines = [line[:MAX_LINE_CHARACTERS] for line in clean(text).splitlines()]
    reasons = _weigh(lines)
    reasons = [*reasons, *_exceptions(lines)]
    best = max(reasons, key=lambda reason: (reason.weight, reason.index), default=Reason())
    if best.weight is Weight.TRACE and "CalledProcessError" in best.text.partition(":")[0]:
        # A script that only passes on the failure of a program: that program said why.
        before = [r for r in reasons if r.weight in (Weight.ERROR, Weight.MENTION)]
        before = [r for r in before if "CalledProcessError" not in r.text]
        best = max(before, key=lambda reason: (reason.weight, reason.index), default=best)
    return Reason(shorten(best.text), best.weight, best.index)


def shorten(line: str) -> str:
    """Return a line in a length that fits into a message."""
    short = len(line) <= MAX_QUOTE_CHARACTERS
    return line if short else line[:MAX_QUOTE_CHARACTERS] + " …"


def own_path(path: str) -> str:
    """Return a path as the authors of the workflow know it: relative to its stored copy."""
    if match := SCRIPT_COPY.search(path):
        return match[1]
    return RUN_FOLDER.sub("", WORKFLOW_COPY.sub("", path))


# ---- single lines --------------------------------------------------------------------------------


def _weigh(lines: Sequence[str]) -> list[Reason]:
    hidden = _usage_lines(lines) | _trace_lines(lines)
    reasons = []
    for index, line in enumerate(lines):
        if index in hidden or NO_CONTENT.match(line):
            continue
        weight = _weight(line)
        text = line.strip()
        if weight is Weight.ORDINARY and HARMLESS.search(line):
            continue  # a summary such as "0 errors" explains nothing
        if HEADING.match(line):  # an error whose message starts on the next line
            headed = _continued(lines, index, hidden, heading=True)
            reasons.append(Reason(headed, weight if headed == text else Weight.ERROR, index))
            continue
        if weight >= Weight.MENTION:
            text = _continued(lines, index, hidden)
        reasons.append(Reason(text, weight, index))
    return reasons


def _weight(line: str) -> Weight:
    said = HARMLESS.sub(" ", line)
    remark = REMARK.search(line)
    late = remark and remark.start() > MAX_REMARK_START and "exit" not in remark[0]
    if SHELL_REPORT.match(line) or (remark and not late):
        return Weight.REMARK
    if not (ERROR_WORDS.search(said) or NAMED_ERROR.search(said) or KNOWN_ERROR.search(said)):
        return Weight.ORDINARY
    if WARNING.search(line):
        return Weight.MENTION if KNOWN_ERROR.search(said) else Weight.REMARK
    if CONSEQUENCE.search(line):
        return Weight.CONSEQUENCE
    named = NAMED_ERROR.search(said) or KNOWN_ERROR.search(said)
    return Weight.ERROR if named else Weight.MENTION


def _continued(lines: Sequence[str], index: int, hidden: set[int], *, heading: bool = False) -> str:
    """Return a line, with the next ones where it ends with a colon, or a URL it is about."""
    text = lines[index].strip()
    if HTTP_ERROR.match(text):
        urls = [match[1] for line in lines[:index] if (match := URL_REQUESTED.match(line))]
        return f"{text} ({urls[-1]})" if urls else text
    number = index
    for _ in range(MAX_MESSAGE_LINES):
        if not text.endswith((":", "\uff1a")) and not (heading and number == index):
            break
        following = range(number + 1, min(number + 4, len(lines)))
        content = [n for n in following if n not in hidden and not NO_CONTENT.match(lines[n])]
        if not content:
            break
        number = content[0]
        text = f"{text} {lines[number].strip().lstrip('-*•└├─│ ')}"
    return text


def _usage_lines(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines of usage texts and lists of options."""
    hidden = {number for number, line in enumerate(lines) if OPTION.match(line)}
    inside = False
    for number, line in enumerate(lines):
        if USAGE.match(line):
            inside = True
        elif AFTER_USAGE.match(line) or PYTHON_TRACEBACK.match(line):
            inside = False
        if inside or (SECTION.match(line) and number + 1 in hidden):
            hidden.add(number)
    return hidden


# ---- stack traces --------------------------------------------------------------------------------


def _trace_lines(lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines that belong to a stack trace, without its message."""
    hidden: set[int] = set()
    inside = ignored = False
    for number, line in enumerate(lines):
        if "Exception ignored in" in line:
            ignored = True
            hidden.add(number)
        elif PYTHON_TRACEBACK.match(line):
            inside = True
            hidden.add(number)
        elif PYTHON_FRAME.match(line) or JAVA_FRAME.match(line):
            hidden.add(number)
            inside = inside or bool(PYTHON_FRAME.match(line))
        elif inside and (line[:1].isspace() or not line):
            hidden.add(number)
        elif inside:
            inside = False
            if ignored:
                hidden.add(number)
                ignored = False
    return hidden


def _exceptions(lines: Sequence[str]) -> list[Reason]:
    return [
        *_python_exceptions(lines),
        *_java_exceptions(lines),
        *_r_errors(lines),
        *_native_errors(lines),
        *_run_errors(lines),
    ]


def _python_exceptions(lines: Sequence[str]) -> list[Reason]:
    reasons: list[Reason] = []
    frames: list[tuple[str, str, str]] = []
    ignored = False
    for number, line in enumerate(lines):
        if "Exception ignored in" in line:
            ignored, frames = True, []
        elif PYTHON_TRACEBACK.match(line):
            frames = []
        elif match := PYTHON_FRAME.match(line):
            frames.append((match[1], match[2], match[3] or ""))
        elif frames and line.strip() and not line[:1].isspace():
            if PYTHON_ERROR.match(line.strip()) and not ignored:
                text = _continued(lines, number, set())
                reasons.append(Reason(f"{text}{_python_place(frames)}", Weight.TRACE, number))
            frames, ignored = [], False
    return reasons


def _python_place(frames: Sequence[tuple[str, str, str]]) -> str:
    own = [frame for frame in frames if not NOT_OWN_PYTHON.search(_without_copy(frame[0]))]
    if not own:
        return ""
    path, line, function = own[-1]
    number = int(line)
    if SCRIPT_COPY.search(path) and path.endswith(".py"):
        number = max(1, number - snakemake.SCRIPT_PREAMBLE_LINES)
    within = f" in {function}" if function and not function.startswith(("<", "__rule")) else ""
    return f" ({own_path(path)}, line {number}{within})"


def _without_copy(path: str) -> str:
    return SCRIPT_COPY.sub("", WORKFLOW_COPY.sub("", path)) or "script"


def _java_exceptions(lines: Sequence[str]) -> list[Reason]:
    """Return the root cause of each Java stack trace."""
    reasons: list[Reason] = []
    for number, line in enumerate(lines):
        match = JAVA_ERROR.match(line)
        if not match or not _has_java_frame(lines, number):
            continue
        place = ""
        for following in lines[number + 1 :]:
            frame = JAVA_FRAME.match(following)
            if not frame:
                if not re.match(r"^\s+(?:at |\.\.\. )", following):
                    break
            elif not NOT_OWN_JAVA.match(frame[1]):
                where = f"{frame[2]}, line {frame[3]}" if frame[3] else frame[2]
                place = f" ({where} in {'.'.join(frame[1].split('.')[-2:])})"
                break
        reasons.append(Reason(f"{match[1]}{place}", Weight.TRACE, number))
    return reasons


def _has_java_frame(lines: Sequence[str], number: int) -> bool:
    following = lines[number + 1 : number + 2]
    return bool(following and JAVA_FRAME.match(following[0]))


def _r_errors(lines: Sequence[str]) -> list[Reason]:
    """Return the errors of R, whose message may follow on indented lines."""
    reasons: list[Reason] = []
    halted = any(line.startswith(("Execution halted", "Calls: ", "Backtrace:")) for line in lines)
    for number, line in enumerate(lines):
        if not line.startswith("Error") or not (match := R_ERROR.match(line)):
            continue
        if not halted and not match[1]:
            continue
        text = line.strip()
        following = number + 1
        while following < len(lines) and following - number <= 2 * MAX_MESSAGE_LINES:
            more = lines[following]
            if not re.match(
                r"^(?:\s{2,}\S|! |✖ |[x✖\u2139] |Caused by error)", more
            ) or R_TRACE.match(more):
                break
            text = f"{text} {more.strip()}"
            following += 1
        if text.rstrip().endswith(":") or text == "Error":
            continue
        place = _r_place(lines[following : following + 12], match[1] or match[3] or "")
        text = re.sub(r"\s+", " ", text).replace(" : ", ": ")
        reasons.append(Reason(f"{text}{place}", Weight.TRACE, number))
    return reasons


def _r_place(lines: Sequence[str], call: str) -> str:
    """Return the last own function, or the file and line, of an error of R; "" when unknown."""
    for line in lines:
        if match := R_TRACE.match(line):
            return f" ({own_path(match[1])}, line {match[2]})"
        if match := R_CALLS.match(line):
            names = [name.strip() for name in match[1].split("->")]
            own = [n for n in names if n not in R_INFRASTRUCTURE and "::" not in n]
            if own and not call.startswith(own[-1]):
                return f" (in {own[-1]})"
            return ""
    return ""


def _native_errors(lines: Sequence[str]) -> list[Reason]:
    """Return the uncaught errors of C++ and Rust programs."""
    reasons: list[Reason] = []
    thrown = ""
    for number, line in enumerate(lines):
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        if match := THROWN.match(line):
            thrown = match[1]
        elif match := WHAT.match(line):
            text = f"{thrown}: {match[1]}" if thrown else match[1]
            reasons.append(Reason(text.strip(), Weight.TRACE, number))
        elif match := RUST_PANIC.match(line):
            text = match[1] or following
            reasons.append(Reason(f"{text} ({match[2]})", Weight.TRACE, number))
        elif match := re.match(r"^panic: (.+)$", line):
            reasons.append(Reason(match[0], Weight.TRACE, number))
    return reasons


def _run_errors(lines: Sequence[str]) -> list[Reason]:
    """Return the exceptions of `run:` blocks, as Snakemake prints them."""
    reasons: list[Reason] = []
    for number, line in enumerate(lines):
        if not (match := RUN_ERROR.match(line)) or match[1] in ("CalledProcessError",):
            continue
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        message = "" if not line.endswith(":") or PYTHON_FRAME.match(following) else following
        text = f"{match[1]}: {message}" if message else match[1]
        place = f" ({own_path(match[2])}, line {match[3]})"
        reasons.append(Reason(f"{text}{place}", Weight.TRACE, number))
    return reasons
