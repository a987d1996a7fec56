/* Times: the bytes as text, which must agree with the C library's calendar for the time read, and 8
 * of the bytes as a time, whose text must read as that time. */
#include "tests/fuzz/fuzz.h"
#include "weir/rules/time_text.h"

#include <time.h>

enum { CLOCK_BYTES = 19, US_PER_SECOND = 1000000 };

static int64_t floor_seconds(int64_t us)
{
    return us / US_PER_SECOND - (us % US_PER_SECOND < 0);
}

/* Writes a time in seconds as "2025-01-15T10:00:00", with the C library. */
static bool write_clock(int64_t seconds, char clock[CLOCK_BYTES + 1])
{
    const time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        return false;
    }
    char wide[128];
    (void)snprintf(wide, sizeof wide, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
    memcpy(clock, wide, CLOCK_BYTES + 1);
    return true;
}

static void check_time(int64_t us)
{
    char clock[CLOCK_BYTES + 1];
    char text[WEIR_TIME_TEXT + 1];
    const bool has_text = weir_time_format(us, text);
    require(has_text == write_clock(floor_seconds(us), clock));
    if (!has_text) {
        return;
    }
    require(strlen(text) == WEIR_TIME_TEXT && memcmp(text, clock, CLOCK_BYTES) == 0);
    require(strtol(text + CLOCK_BYTES + 1, NULL, 10) == us - floor_seconds(us) * US_PER_SECOND);
    int64_t parsed = 0;
    require(weir_time_parse(weir_slice_of(text), &parsed) && parsed == us);
    require(weir_time_or_date_parse(weir_slice_of(text), &parsed) && parsed == us);
}

/* Returns the offset at the end of an accepted text, in seconds, and its length in *n. */
static int64_t offset_of(struct weir_slice text, size_t *n)
{
    *n = 1;
    if ((text.p[text.n - 1] | 0x20) == 'z') {
        return 0;
    }
    *n = 6;
    const char *at = (const char *)text.p + text.n - 6;
    require(memcmp(at + 1, "23", 2) <= 0 && memcmp(at + 4, "59", 2) <= 0 && at[3] == ':');
    const int64_t minutes =
        ((at[1] - '0') * 10 + at[2] - '0') * 60 + (at[4] - '0') * 10 + at[5] - '0';
    return (at[0] == '-' ? -60 : 60) * minutes;
}

/* Returns the fraction between clock and offset in microseconds, truncated. */
static int64_t fraction_of(struct weir_slice digits)
{
    int64_t us = 0;
    for (size_t i = 1; i <= 6; i++) {
        us = us * 10 + (i < digits.n ? digits.p[i] - '0' : 0);
    }
    return us;
}

static void check_accepted(struct weir_slice text, int64_t us)
{
    size_t offset_n = 0;
    char clock[CLOCK_BYTES + 1];
    require(text.n > CLOCK_BYTES);
    const int64_t local = floor_seconds(us) + offset_of(text, &offset_n);
    const struct weir_slice fraction =
        weir_slice(text.p + CLOCK_BYTES, text.n - CLOCK_BYTES - offset_n);
    const bool is_leap = memcmp(text.p + 17, "60", 2) == 0;
    uint8_t *written = fuzz_copy(text, false);
    written[10] = 'T';
    if (is_leap) {
        memcpy(written + 17, "59", 2);
    }
    /* With an offset the local year may be outside the range of the text form. */
    require(!write_clock(local, clock) || memcmp(written, clock, CLOCK_BYTES) == 0);
    free(written);
    require(us - floor_seconds(us) * US_PER_SECOND ==
            (is_leap ? US_PER_SECOND - 1 : fraction_of(fraction)));
    require(fraction.n <= 10 && fraction.n != 1);
}

static void check_text(struct weir_slice text)
{
    int64_t us = 42;
    int64_t same = 42;
    if (weir_time_parse(text, &us)) {
        check_time(us);
        check_accepted(text, us);
        require(weir_time_or_date_parse(text, &same) && same == us);
        return;
    }
    require(us == 42);
    if (weir_time_or_date_parse(text, &same)) {
        struct fuzz_text whole = {0};
        fuzz_put(&whole, text);
        fuzz_puts(&whole, "T00:00:00Z");
        require(text.n == 10 && weir_time_parse(fuzz_slice(&whole), &us) && us == same);
        free(whole.p);
    } else {
        require(same == 42);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(weir_slice(data, size));
    if (size >= sizeof(int64_t)) {
        int64_t us = 0;
        memcpy(&us, data, sizeof us);
        check_time(us);
        /* Most times are outside the years that have a text form. */
        check_time(us % ((int64_t)10000 * 366 * 86400 * US_PER_SECOND));
    }
    return 0;
}
