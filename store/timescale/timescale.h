/* The texts of the SQL files, embedded by the build. */
#ifndef WEIR_STORE_TIMESCALE_TIMESCALE_H
#define WEIR_STORE_TIMESCALE_TIMESCALE_H

extern const char weir_timescale_sql_hypertable_001[];
extern const char weir_timescale_sql_hypertable_003[];
extern const char weir_timescale_sql_hypertable_functions[];

#endif
