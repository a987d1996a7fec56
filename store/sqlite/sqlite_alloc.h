/* SQLite's memory: blocks of usual sizes are kept by the thread that frees them and handed out
 * again, so that running a prepared statement takes nothing from the heap. SQLite has the same
 * under the name of lookaside, which distributions (Debian among them) leave out.
 *
 * Process-wide; to be called before SQLite is first used. What a thread keeps is bounded, and goes
 * when the thread ends. */
#ifndef WEIR_STORE_SQLITE_ALLOC_H
#define WEIR_STORE_SQLITE_ALLOC_H

void weir_sqlite_alloc_install(void);

#endif
