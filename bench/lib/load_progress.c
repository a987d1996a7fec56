#include "bench/lib/load_progress.h"

#include "bench/lib/chart.h"
#include "bench/lib/clock.h"

#include <inttypes.h>
#include <stdio.h>

static const char clear_line[] = "\r\033[K";

static void show_line(struct load *load, int64_t second)
{
    static const char *const phases[] = {"warm-up", ""};
    char p50[CHART_TEXT_MAX];
    char p99[CHART_TEXT_MAX];
    char rate[CHART_TEXT_MAX];
    const bool is_measuring = clock_ns() >= load->measure_ns;
    chart_text((double)atomic_load(&load->each_second[second - 1]), CHART_NUMBER, rate);
    chart_text((double)histogram_percentile(load->total, 50), CHART_NANOSECONDS, p50);
    chart_text((double)histogram_percentile(load->total, 99), CHART_NANOSECONDS, p99);
    (void)fprintf(stderr, "%s%4" PRId64 " s %s %12s/s   p50 %s   p99 %s   errors %" PRIu64,
                  clear_line, second, phases[is_measuring], rate, p50, p99, load_errors_now(load));
}

/* Reports the start and the end of each outage once. */
static void report_outages(struct load *load)
{
    (void)pthread_mutex_lock(&load->errors_mutex);
    const char *before = load->settings->has_progress ? clear_line : "";
    while (load->outages_reported < 2 * load->outages_n) {
        const struct load_outage *outage = &load->outages[load->outages_reported / 2];
        const bool is_end = load->outages_reported % 2 == 1;
        if (is_end && outage->to_s < 0) {
            break;
        }
        (void)fprintf(stderr, "%sweir-load: after %.3f s: the server %s\n", before,
                      is_end ? outage->to_s : outage->from_s,
                      is_end ? "answers again" : "has stopped answering");
        load->outages_reported++;
    }
    (void)pthread_mutex_unlock(&load->errors_mutex);
}

void load_progress(struct load *load)
{
    report_outages(load);
    const int64_t second = (clock_ns() - load->begin_ns) / 1000000000;
    if (load->settings->has_progress && second > 0 && second != load->second_shown &&
        second <= LOAD_SECONDS_MAX) {
        load->second_shown = second;
        show_line(load, second);
    }
}

void load_progress_end(struct load *load)
{
    report_outages(load);
    if (load->settings->has_progress) {
        (void)fputs(clear_line, stderr);
    }
}
