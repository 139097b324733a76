#!/usr/bin/env python3
"""Works out the table of prorations in worked.tsv: by the words of the rules (T-2, M-2, P-1 to P-3,
SL-8), in Python's whole numbers and fractions, and with nothing in common with the code that the
table holds to account. `worked.py > worked.tsv` writes it; a test holds the file to the script.
"""
from datetime import datetime, timedelta
from fractions import Fraction

DIGITS = {"USD": 2, "EUR": 2, "JPY": 0, "BHD": 3}
MICROSECOND = timedelta(microseconds=1)
DAY = timedelta(days=1)


def is_leap(year):
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in(year, month):
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def months_after(anchor, count):
    """T-2: the same day and time of day, or the month's last day where it has no such day."""
    year, month = anchor.year, anchor.month
    for _ in range(count):
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return anchor.replace(year=year, month=month, day=min(anchor.day, days_in(year, month)))


def micros(span):
    return span // MICROSECOND


def remaining(convention, anchor, first_month, months, at):
    """Which part of the term is left at an instant."""
    start = months_after(anchor, first_month)
    end = months_after(anchor, first_month + months)
    if at <= start:
        return Fraction(1)
    if at >= end:
        return Fraction(0)
    if convention == "LINEAR":
        return Fraction(micros(end - at), micros(end - start))
    if convention == "DAILY":
        days, into_day = divmod(end - at, DAY)
        if into_day:
            days += 1
        return Fraction(days) / Fraction(micros(end - start), micros(DAY))
    total = Fraction(0)
    for month in range(months):
        opens = months_after(anchor, first_month + month)
        closes = months_after(anchor, first_month + month + 1)
        left = max(timedelta(0), closes - max(opens, at))
        total += Fraction(micros(left), micros(closes - opens))
    return total / months


def rounded(exact):
    """M-2: half away from zero; nothing here is negative."""
    whole, rest = divmod(exact.numerator, exact.denominator)
    return whole + (1 if 2 * rest >= exact.denominator else 0)


def shown(currency, minor):
    digits = DIGITS[currency]
    if digits == 0:
        return str(minor)
    text = str(minor).rjust(digits + 1, "0")
    return f"{text[:-digits]}.{text[-digits:]}"


def instant(text):
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    if "T" not in text:
        form = "%Y-%m-%d"
    return datetime.strptime(text, form)


def row(note, what, convention, price, quantity, term, change):
    """`price` is for the term of one DOMAIN, or for 12 months of one of the SANs (SL-7)."""
    value, currency = price.split()
    anchor, first_month, months = term
    part = remaining(convention, instant(anchor), first_month, months, instant(change))
    years = Fraction(months, 12) if what == "SANS" else 1
    exact = Fraction(value) * quantity * years * part * 10 ** DIGITS[currency]
    written = [moment + "T00:00:00Z" if "T" not in moment else moment for moment in (anchor, change)]
    return (what, convention, value, currency, quantity, written[0], first_month, months,
            written[1], part, shown(currency, rounded(exact)), note)


ALL = ("MONTHLY", "DAILY", "LINEAR")


def each(note, what, price, quantity, term, change, conventions=ALL):
    return [row(note, what, convention, price, quantity, term, change) for convention in conventions]


def year(anchor):
    return (anchor, 0, 12)


CASES = [
    # The source's example, and the same half year elsewhere in the calendar.
    each("P-3, the source's figure", "DOMAIN", "49.00 USD", 1, year("2026-01-01"), "2026-07-01"),
    each("a leap year has 366 days, and its first half 182", "DOMAIN", "49.00 USD", 1, year("2024-01-01"), "2024-07-01"),
    each("the leap day in the second half", "DOMAIN", "49.00 USD", 1, year("2023-07-01"), "2024-01-01"),
    each("the leap day in the first half", "DOMAIN", "49.00 USD", 1, year("2023-10-15"), "2024-04-15"),
    each("from a leap day: ends on 28 February", "DOMAIN", "49.00 USD", 1, year("2024-02-29"), "2024-08-29"),
    each("half of 31 August is 28 February", "DOMAIN", "49.00 USD", 1, year("2025-08-31"), "2026-02-28"),
    each("half of 31 August is 29 February", "DOMAIN", "49.00 USD", 1, year("2027-08-31"), "2028-02-29"),
    each("not leap: 2100", "DOMAIN", "49.00 USD", 1, year("2099-08-29"), "2100-02-28"),
    each("leap: 2000", "DOMAIN", "49.00 USD", 1, year("1999-08-29"), "2000-02-29"),
    # One month: every month weighs the same, whatever its length.
    each("14 of 28 days", "DOMAIN", "10.00 USD", 1, ("2026-02-01", 0, 1), "2026-02-15"),
    each("14 of 29 days, and 14.5 of 29 half", "DOMAIN", "10.00 USD", 1, ("2028-02-01", 0, 1), "2028-02-15T12:00:00Z"),
    each("15.5 of 31 days", "DOMAIN", "10.00 USD", 1, ("2026-01-01", 0, 1), "2026-01-16T12:00:00Z"),
    each("20 of 30 days", "DOMAIN", "10.00 USD", 1, ("2026-04-01", 0, 1), "2026-04-11"),
    each("31 January to 28 February", "DOMAIN", "10.00 USD", 1, ("2026-01-31", 0, 1), "2026-02-14"),
    each("31 January to 28 February 2100", "DOMAIN", "10.00 USD", 1, ("2100-01-31", 0, 1), "2100-02-27"),
    each("30 January to 29 February 2028", "DOMAIN", "10.00 USD", 1, ("2028-01-30", 0, 1), "2028-02-28"),
    # Month ends: boundaries from the anchor, never from the boundary before (T-2).
    each("31 January, 28 February, 31 March", "DOMAIN", "20.00 USD", 1, ("2026-01-31", 0, 2), "2026-02-28"),
    each("28 March lies before the boundary of 31 March", "DOMAIN", "30.00 USD", 1, ("2026-01-31", 0, 3), "2026-03-28"),
    each("31 August to 30 November", "DOMAIN", "30.00 USD", 1, ("2026-08-31", 0, 3), "2026-10-31"),
    each("31 December to 30 June", "DOMAIN", "60.00 USD", 1, ("2026-12-31", 0, 6), "2027-04-30"),
    # Renewed terms keep the anchor: 31 January, renewed on 28 February until 31 March.
    each("a renewed month of 31 days", "DOMAIN", "10.00 USD", 1, ("2026-01-31", 1, 1), "2026-03-15"),
    each("a renewed year from 29 February: 28 to 28", "DOMAIN", "49.00 USD", 1, ("2024-02-29", 12, 12), "2025-12-29"),
    each("the fourth year from 29 February ends on it", "DOMAIN", "49.00 USD", 1, ("2024-02-29", 36, 12), "2027-08-29"),
    # The length of a term.
    each("7 months, 3 left", "DOMAIN", "35.00 USD", 2, ("2026-03-15", 0, 7), "2026-07-15"),
    each("11 months, 4.5 gone", "DOMAIN", "99.99 USD", 1, ("2026-01-01", 0, 11), "2026-05-16T12:00:00Z"),
    each("13 months", "DOMAIN", "52.00 USD", 3, ("2025-12-31", 0, 13), "2026-06-30"),
    each("18 months over a leap day", "DOMAIN", "75.00 USD", 1, ("2027-01-31", 0, 18), "2028-02-29"),
    each("24 months", "DOMAIN", "90.00 USD", 1, ("2026-05-31", 0, 24), "2027-02-28"),
    each("36 months", "DOMAIN", "130.00 USD", 5, ("2026-01-29", 0, 36), "2028-02-29"),
    each("48 months from leap day to leap day", "DOMAIN", "170.00 USD", 1, ("2024-02-29", 0, 48), "2027-02-28"),
    each("59 months", "DOMAIN", "200.00 USD", 1, ("2026-10-31", 0, 59), "2029-02-14T06:30:00Z"),
    each("60 months, one day gone", "DOMAIN", "210.00 USD", 1, ("2026-01-01", 0, 60), "2026-01-02"),
    each("60 months, one month left", "DOMAIN", "210.00 USD", 1, ("2026-01-01", 0, 60), "2030-12-01"),
    # To the microsecond.
    each("bought the instant the term starts", "DOMAIN", "49.00 USD", 1, year("2026-01-01T09:30:00.000001Z"), "2026-01-01T09:30:00.000001Z"),
    each("before the term starts: all of it (P-1)", "DOMAIN", "49.00 USD", 1, ("2026-01-01", 12, 12), "2026-10-05T17:00:00Z"),
    each("a microsecond gone: the day counts whole", "DOMAIN", "365000000.00 USD", 1, year("2026-01-01T09:30:00Z"), "2026-01-01T09:30:00.000001Z"),
    each("a microsecond left: of a day, or of next to nothing", "DOMAIN", "49.00 USD", 1, year("2026-01-01T09:30:00Z"), "2027-01-01T09:29:59.999999Z"),
    each("a microsecond left of much money", "DOMAIN", "9000000000000 JPY", 100, ("2026-02-01", 0, 1), "2026-02-28T23:59:59.999999Z"),
    each("a day is counted from the time of day that the term began", "DOMAIN", "31.00 USD", 1, ("2026-01-01T18:00:00Z", 0, 1), "2026-01-11T17:59:59.999999Z"),
    each("and a microsecond later is the next day", "DOMAIN", "31.00 USD", 1, ("2026-01-01T18:00:00Z", 0, 1), "2026-01-11T18:00:00Z"),
    # Half a minor unit goes away from zero, whichever digit stands before it (M-2).
    each("half a cent", "DOMAIN", "0.01 USD", 1, year("2026-01-01"), "2026-07-01", ["MONTHLY"]),
    each("two and a half cents", "DOMAIN", "0.05 USD", 1, year("2026-01-01"), "2026-07-01", ["MONTHLY"]),
    each("next to half a cent, above and below", "DOMAIN", "0.01 USD", 1, year("2026-01-01"), "2026-07-02T12:00:00Z"),
    each("a microsecond less than half a cent", "DOMAIN", "0.01 USD", 1, ("2026-01-01", 0, 1), "2026-01-16T12:00:00.000001Z", ["MONTHLY", "LINEAR"]),
    each("rounded once, not for each of them", "DOMAIN", "0.125 EUR", 1000, year("2026-01-01"), "2026-07-01", ["MONTHLY"]),
    each("a price of six decimals", "DOMAIN", "0.000001 USD", 1000000, year("2026-01-01"), "2026-07-01"),
    each("a price that rounds to nothing", "DOMAIN", "0.000001 USD", 4999, year("2026-01-01"), "2026-01-01"),
    each("a price of nothing", "DOMAIN", "0.00 USD", 7, year("2026-01-01"), "2026-07-01"),
    each("as much money as there is", "DOMAIN", "92233720368.547758 USD", 1000000, year("2026-01-01"), "2026-01-01"),
    each("half of that", "DOMAIN", "92233720368.547758 USD", 1000000, year("2026-01-01"), "2026-07-01"),
    # Currencies without a minor unit and with three digits of it.
    each("yen have no cents", "DOMAIN", "4900 JPY", 1, year("2026-01-01"), "2026-07-01"),
    each("half a yen", "DOMAIN", "5 JPY", 1, year("2026-01-01"), "2026-07-01"),
    each("yen of a month", "DOMAIN", "1000 JPY", 3, ("2026-01-31", 0, 1), "2026-02-10T08:15:00Z"),
    each("yen from a price with decimals", "DOMAIN", "7.5 JPY", 3, ("2027-11-30", 0, 5), "2028-02-29"),
    each("dinars have a thousand fils", "DOMAIN", "18.475 BHD", 1, year("2026-01-01"), "2026-07-01"),
    each("dinars of 60 months", "DOMAIN", "99.999 BHD", 2, ("2024-02-29", 0, 60), "2026-11-17T23:45:00Z"),
    each("half a fils", "DOMAIN", "0.001 BHD", 1, ("2026-02-01", 0, 1), "2026-02-15"),
    # SANs are priced for 12 months: the term's length is a factor of its own (SL-7, SL-8).
    each("an increase for a year and a half", "SANS", "0.35 USD", 500, ("2026-01-01", 0, 24), "2026-07-01"),
    each("an increase within a month", "SANS", "0.35 USD", 500, ("2026-02-01", 0, 1), "2026-02-08"),
    each("an increase of a million SANs", "SANS", "0.000125 USD", 1000000, ("2027-01-31", 0, 60), "2030-03-31"),
    each("of yen", "SANS", "120 JPY", 333, ("2026-01-31", 0, 7), "2026-02-28"),
    each("of dinars, in a renewed term", "SANS", "0.0045 BHD", 12345, ("2023-05-31", 36, 36), "2028-02-29"),
]

if __name__ == "__main__":
    print("what", "convention", "price", "currency", "quantity", "anchor", "first_month", "months",
          "change", "fraction", "amount", "note", sep="\t")
    for rows in CASES:
        for fields in rows:
            print(*fields, sep="\t")
