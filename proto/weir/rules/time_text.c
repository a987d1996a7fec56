#include "weir/rules/time_text.h"

#include <time.h>

enum {
    US_PER_SECOND = 1000000,
    SECONDS_PER_DAY = 86400,
    YEARS = 10000,              // 0000..9999
    DAYS_BEFORE_1970 = 719528,  // from 0000-01-01, in the Gregorian calendar led backwards
    MICRO_DIGITS = 6,
    FRACTION_DIGITS_MAX = 9
};

struct civil {
    int year;    // 0..9999
    int month;   // 1..12
    int day;     // 1..31
    int hour;    // 0..23
    int minute;  // 0..59
    int second;  // 0..60
};

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Returns the days from 0000-01-01 to the first day of a year. The year 0000 is a leap year. */
static int64_t days_before_year(int year)
{
    return (int64_t)year * 365 + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400;
}

static int64_t days_of(const struct civil *c)
{
    int64_t days = days_before_year(c->year);
    for (int month = 1; month < c->month; month++) {
        days += days_in_month(c->year, month);
    }
    return days + c->day - 1;
}

/* Sets the date of a day, counted from 0000-01-01; its year is within 0000..9999. */
static void set_date(int64_t days, struct civil *c)
{
    c->year = (int)(days * 400 / days_before_year(400));
    while (days_before_year(c->year) > days) {
        c->year--;
    }
    while (days_before_year(c->year + 1) <= days) {
        c->year++;
    }
    int rest = (int)(days - days_before_year(c->year));
    c->month = 1;
    while (rest >= days_in_month(c->year, c->month)) {
        rest -= days_in_month(c->year, c->month);
        c->month++;
    }
    c->day = rest + 1;
}

static void put_digits(char *to, int value, int n)
{
    for (int i = n - 1; i >= 0; i--) {
        to[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

/* Whether the time is in the years 0000..9999 and so has a text. */
static bool is_in_range(int64_t time_us)
{
    const int64_t us_per_day = (int64_t)SECONDS_PER_DAY * US_PER_SECOND;
    return time_us >= -DAYS_BEFORE_1970 * us_per_day &&
           time_us < (days_before_year(YEARS) - DAYS_BEFORE_1970) * us_per_day;
}

bool weir_time_format(int64_t time_us, char text[WEIR_TIME_TEXT + 1])
{
    if (!is_in_range(time_us)) {
        return false;
    }
    const int64_t us_per_day = (int64_t)SECONDS_PER_DAY * US_PER_SECOND;
    const int64_t from_year_0 = time_us + DAYS_BEFORE_1970 * us_per_day;
    const int64_t day_us = from_year_0 % us_per_day;
    const int second = (int)(day_us / US_PER_SECOND);
    struct civil c;
    set_date(from_year_0 / us_per_day, &c);

    memcpy(text, "0000-00-00T00:00:00.000000Z", WEIR_TIME_TEXT + 1);
    put_digits(text, c.year, 4);
    put_digits(text + 5, c.month, 2);
    put_digits(text + 8, c.day, 2);
    put_digits(text + 11, second / 3600, 2);
    put_digits(text + 14, second / 60 % 60, 2);
    put_digits(text + 17, second % 60, 2);
    put_digits(text + 20, (int)(day_us % US_PER_SECOND), MICRO_DIGITS);
    return true;
}

/* Takes exactly `n` digits off the front. */
static bool take_digits(struct weir_slice *text, size_t n, int *value)
{
    if (text->n < n) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (text->p[i] < '0' || text->p[i] > '9') {
            return false;
        }
        *value = *value * 10 + (text->p[i] - '0');
    }
    *text = weir_slice(text->p + n, text->n - n);
    return true;
}

/* Takes one of the characters of `set` off the front; 0 if the text begins with none of them. */
static char take_one_of(struct weir_slice *text, const char *set)
{
    if (text->n == 0 || text->p[0] == '\0' || strchr(set, text->p[0]) == NULL) {
        return '\0';
    }
    const char c = (char)text->p[0];
    *text = weir_slice(text->p + 1, text->n - 1);
    return c;
}

static bool take_date(struct weir_slice *text, struct civil *c)
{
    return take_digits(text, 4, &c->year) && take_one_of(text, "-") &&
           take_digits(text, 2, &c->month) && take_one_of(text, "-") &&
           take_digits(text, 2, &c->day) && c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= days_in_month(c->year, c->month);
}

static bool take_clock(struct weir_slice *text, struct civil *c)
{
    return take_digits(text, 2, &c->hour) && take_one_of(text, ":") &&
           take_digits(text, 2, &c->minute) && take_one_of(text, ":") &&
           take_digits(text, 2, &c->second) && c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

/* Takes a point and 1..9 digits, or nothing. */
static bool take_fraction(struct weir_slice *text, int *micros)
{
    *micros = 0;
    if (!take_one_of(text, ".")) {
        return true;
    }
    int n = 0;
    int digit = 0;
    while (n < FRACTION_DIGITS_MAX && take_digits(text, 1, &digit)) {
        if (n < MICRO_DIGITS) {
            *micros = *micros * 10 + digit;
        }
        n++;
    }
    for (int i = n; i < MICRO_DIGITS; i++) {
        *micros *= 10;
    }
    return n > 0;
}

static bool take_offset(struct weir_slice *text, int *seconds)
{
    *seconds = 0;
    const char sign = take_one_of(text, "Zz+-");
    if (sign == 'Z' || sign == 'z') {
        return true;
    }
    int hours = 0;
    int minutes = 0;
    if (sign == '\0' || !take_digits(text, 2, &hours) || !take_one_of(text, ":") ||
        !take_digits(text, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
    return true;
}

/* A leap second has no Unix time of its own; it becomes the last instant before the next minute. */
static int64_t instant_of(const struct civil *c, int micros, int offset_seconds)
{
    int second = c->second;
    if (second == 60) {
        second = 59;
        micros = US_PER_SECOND - 1;
    }
    const int64_t days = days_of(c) - DAYS_BEFORE_1970;
    const int64_t seconds = days * SECONDS_PER_DAY + (int64_t)c->hour * 3600 +
                            (int64_t)c->minute * 60 + second - offset_seconds;
    return seconds * US_PER_SECOND + micros;
}

bool weir_time_parse(struct weir_slice text, int64_t *time_us)
{
    struct civil c;
    int micros = 0;
    int offset = 0;
    if (!take_date(&text, &c) || !take_one_of(&text, "Tt ") || !take_clock(&text, &c) ||
        !take_fraction(&text, &micros) || !take_offset(&text, &offset) || text.n != 0) {
        return false;
    }
    const int64_t us = instant_of(&c, micros, offset);
    if (!is_in_range(us)) {
        return false;
    }
    *time_us = us;
    return true;
}

bool weir_time_or_date_parse(struct weir_slice text, int64_t *time_us)
{
    struct weir_slice rest = text;
    struct civil c = {0};
    if (take_date(&rest, &c) && rest.n == 0) {
        *time_us = instant_of(&c, 0, 0);
        return true;
    }
    return weir_time_parse(text, time_us);
}

int64_t weir_now_us(void)
{
    struct timespec t = {0};
    /* The clock exists on every system that weir runs on, so reading it cannot fail. */
    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * US_PER_SECOND + t.tv_nsec / 1000;
}
