#!/usr/bin/python3
"""Writes cron_cases.inc: next-fire times found without any of the daemon's code.

The judge is brute force: every minute of real time is looked at, its reading on the wall clock asked of Python's
zoneinfo, and the fields compared. Where an expression has neither a change of the clock nor a disputed field in its
way, Debian's python3-croniter has to agree as well, or this program fails.

    /usr/bin/python3 tests/unit/plan/cron_reference.py > tests/unit/plan/cron_cases.inc
"""

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

UTC = timezone.utc
MINUTE = timedelta(minutes=1)
WORDS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
         "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
BOUNDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def number(text, field):
    if field == 3 and text.upper() in MONTHS:
        return MONTHS.index(text.upper()) + 1
    if field == 4 and text.upper() in DAYS:
        return DAYS.index(text.upper())
    return int(text)


def expand(text, field):
    low, high = BOUNDS[field]
    values = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        if span == "*":
            first, last = low, high
        else:
            parts = [number(p, field) for p in span.split("-")]
            first, last = parts[0], parts[-1]
            if field == 4 and last == 0 and first > 0:
                last = 7
        values |= set(range(first, last + 1, int(step or 1)))
    return {v % 7 for v in values} if field == 4 else values


class Expression:
    def __init__(self, text):
        words = WORDS.get(text, text).split()
        self.fields = [expand(word, i) for i, word in enumerate(words)]
        self.any_day = words[2].startswith("*")
        self.any_weekday = words[4].startswith("*")
        self.so_often = any(c in words[0] + words[1] for c in "*/")

    def on_date(self, date):
        of_month = date.day in self.fields[2]
        of_week = (date.weekday() + 1) % 7 in self.fields[4]
        either = self.any_day or self.any_weekday
        return date.month in self.fields[3] and (of_month and of_week if either else of_month or of_week)

    def matches(self, reading):
        return (reading.minute in self.fields[0] and reading.hour in self.fields[1] and self.on_date(reading))


def fires(expression, before, reading):
    """Whether it fires in the minute that shows `reading`, the minute before having shown `before`."""
    shown = reading.replace(tzinfo=None, fold=0)
    if expression.so_often:
        return expression.matches(shown)
    if reading.fold == 0 and expression.matches(shown):
        return True
    skipped = before.replace(tzinfo=None, fold=0) + MINUTE
    while skipped < shown:
        if expression.matches(skipped):
            return True
        skipped += MINUTE
    return False


def brute_force(text, zone, after, count):
    expression = Expression(text)
    found = []
    at = after.replace(second=0) + MINUTE
    limit = after + timedelta(days=9 * 366)
    while len(found) < count and at < limit:
        # A whole day at once when no date near it is one of the expression's.
        if at.hour == 0 and at.minute == 0:
            near = [(at + timedelta(days=d)).date() for d in (-1, 0, 1, 2)]
            if not any(expression.on_date(d) for d in near):
                at += timedelta(days=1)
                continue
        if fires(expression, (at - MINUTE).astimezone(zone), at.astimezone(zone)):
            found.append(at)
        at += MINUTE
    return found


def when(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


# (expression, zone, after in UTC, how many, croniter agrees)
PLAIN = [
    ("0 4 * * *", 5), ("30 3 * * *", 3), ("*/15 * * * *", 8), ("*/7 * * * *", 10), ("0 */6 * * *", 5),
    ("5 8-18/2 * * *", 7), ("0,20,40 9 * * *", 7), ("10-12 23 * * *", 7), ("59 23 * * *", 3), ("* * * * *", 4),
    ("0 12 * * MON-FRI", 8), ("0 12 * * 1-5", 6), ("0 12 * * 6,0", 4), ("0 12 * * 7", 3), ("15 4 * * sun", 3),
    ("0 0 1 * *", 4), ("0 0 31 * *", 4), ("0 0 30 * *", 4), ("0 0 1 JAN,JUL *", 3), ("0 0 1 */3 *", 5),
    ("0 6 13 * FRI", 9), ("0 6 1,15 * WED", 9), ("0 0 28-31 2 *", 5), ("45 5 * 2 *", 4), ("@hourly", 4), ("@daily", 4),
    ("@midnight", 2), ("@weekly", 4), ("@monthly", 4), ("@yearly", 3), ("@annually", 2), ("0 0 29 2 *", 1),
    ("1-59/2 10 * * *", 6), ("0 22-23 * * 2", 4), ("0 9 * 12 1", 5), ("*/20 0-1 * * *", 7), ("0 0 * 4-6 THU", 4),
]
CASES = [(text, "UTC", "2026-11-20 10:07:30", count, True) for text, count in PLAIN]
CASES += [
    ("0 0 29 2 *", "UTC", "2024-02-28 23:59:59", 2, True),
    ("0 0 29 2 *", "UTC", "2024-02-29 00:00:00", 1, True),
    ("30 12 29 2 *", "UTC", "2096-02-29 12:30:00", 1, False),  # 2100 is no leap year
    ("0 0 29 2 *", "UTC", "2093-01-01 00:00:00", 1, True),
    ("0 8 29 FEB MON", "UTC", "2027-02-20 00:00:00", 4, True),
    ("0 0 30 2 *", "UTC", "2026-01-01 00:00:00", 1, False),
    ("0 0 31 4,6,9,11 *", "UTC", "2026-01-01 00:00:00", 1, False),
    ("0 0 */2 * 1", "UTC", "2026-11-20 00:00:00", 4, False),  # a day field that begins with * restricts nothing
    ("0 0 13 * */2", "UTC", "2026-11-20 00:00:00", 3, False),
    ("0 0 * * 5-7", "UTC", "2026-11-20 00:00:00", 5, True),
    ("0 0 * * FRI-SUN", "UTC", "2026-11-20 00:00:00", 5, False),
    ("0 23 31 12 *", "UTC", "2026-12-31 22:59:59", 1, True),
    ("0 23 31 12 *", "UTC", "2026-12-31 23:00:00", 1, True),
    ("59 * * * *", "UTC", "2026-12-31 23:58:59", 2, True),
]

# Around each change of the clock: a day before it, in UTC.
CHANGES = [
    ("Europe/Berlin", "2026-03-28 01:00:00"), ("Europe/Berlin", "2026-10-24 01:00:00"),
    ("America/New_York", "2027-03-13 07:00:00"), ("America/New_York", "2027-11-06 06:00:00"),
    ("Australia/Sydney", "2026-10-02 16:00:00"), ("Australia/Sydney", "2027-04-02 16:00:00"),
    ("Australia/Lord_Howe", "2026-10-02 15:30:00"), ("Australia/Lord_Howe", "2027-04-02 15:00:00"),
]
AROUND = [
    ("30 2 * * *", 4), ("0 2 * * *", 4), ("15 1 * * *", 4), ("45 1 * * *", 4), ("0 3 * * *", 4),
    ("0,10,50 2 * * *", 8), ("0 1,2,3 * * *", 9), ("30 1-3 * * *", 9), ("59 2 * * SUN", 2), ("@daily", 4),
]
AROUND_OFTEN = [("30 * * * *", 30), ("0 */2 * * *", 15), ("15,45 */1 * * *", 56), ("*/20 2 * * *", 8),
                ("10 2-3/1 * * *", 5)]
CASES += [(text, zone, after, count, False) for zone, after in CHANGES for text, count in AROUND + AROUND_OFTEN]
# The clock of Havana skips and repeats midnight itself.
CASES += [(text, "America/Havana", after, count, False)
          for after in ("2027-03-13 00:00:00", "2027-11-06 00:00:00")
          for text, count in [("@daily", 4), ("30 0 * * *", 3), ("0 0 14 3 *", 1), ("0 0 * * SUN", 2), ("@hourly", 30)]]
# Asked from inside the hours that are skipped or come twice.
CASES += [
    ("30 2 * * *", "Europe/Berlin", "2026-03-29 00:59:59", 2, False),
    ("30 2 * * *", "Europe/Berlin", "2026-03-29 01:00:00", 2, False),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25 00:29:59", 2, False),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25 00:30:00", 2, False),
    ("30 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", 2, False),
    ("50 2 * * *", "Europe/Berlin", "2026-10-25 01:10:00", 2, False),
    ("30 * * * *", "Europe/Berlin", "2026-10-25 00:30:00", 3, False),
    ("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:45:10", 5, False),
    ("45 1 * * *", "Australia/Lord_Howe", "2027-04-03 14:50:00", 2, False),
    ("0 2 29 3 *", "Europe/Berlin", "2026-01-01 00:00:00", 2, False),
    ("30 2 28 MAR *", "America/New_York", "2026-12-01 00:00:00", 2, False),
]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "America/Havana"]


def changes_of(zone):
    """The changes of the clock from 2024 to 2036, by looking at every quarter of an hour."""
    at, end = datetime(2024, 1, 1, tzinfo=UTC), datetime(2037, 1, 1, tzinfo=UTC)
    first = offset = at.astimezone(zone).utcoffset()
    changes = []
    while at < end:
        day_later = at + timedelta(days=1)
        if day_later.astimezone(zone).utcoffset() == offset:
            at = day_later
            continue
        while at.astimezone(zone).utcoffset() == offset:
            at += timedelta(minutes=15)
        offset = at.astimezone(zone).utcoffset()
        changes.append((at, offset))
    return first, changes


def seconds(at):
    return int(at.timestamp())


def main():
    print("// Written by cron_reference.py: do not edit. Instants are seconds since 1970 in UTC.")
    print("const std::vector<ZoneRules> reference_zones{")
    for name in ZONES:
        first, changes = changes_of(ZoneInfo(name))
        listed = ", ".join("{at(%d), std::chrono::seconds{%d}}" % (seconds(a), o.total_seconds()) for a, o in changes)
        print('    {"%s", std::chrono::seconds{%d}, {%s}},' % (name, first.total_seconds(), listed))
    print("};\n")
    print("const std::vector<ReferenceCase> reference_cases{")
    total = 0
    for text, zone, after, count, agrees in CASES:
        start = when(after)
        found = brute_force(text, ZoneInfo(zone), start, count)
        if agrees:
            other = croniter(text, start.replace(tzinfo=None))
            theirs = [other.get_next(datetime).replace(tzinfo=UTC) for _ in found]
            assert theirs == found, (text, zone, after, theirs, found)
        total += max(len(found), 1)
        listed = ", ".join(str(seconds(f)) for f in found)
        more = "true" if len(found) == count else "false"
        print('    {"%s", %d, %d, {%s}, %s},' % (text, ZONES.index(zone), seconds(start), listed, more))
    print("};")
    print("constexpr std::size_t reference_answers = %d;" % total)


main()
