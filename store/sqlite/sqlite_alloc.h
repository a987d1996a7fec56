/* SQLite's memory allocator. Blocks of usual sizes are kept by the thread that frees them and
 * handed out again, so that running a prepared statement takes nothing from the heap. SQLite's own
 * lookaside allocator does the same, but distributions (Debian among them) compile it out.
 *
 * Process-wide. The blocks that a thread keeps are bounded in number, and freed when the thread
 * ends. */
#ifndef WEIR_STORE_SQLITE_ALLOC_H
#define WEIR_STORE_SQLITE_ALLOC_H

/* Installs the allocator; must be called before SQLite is first used. */
void weir_sqlite_alloc_install(void);

/* To be called when a connection has been closed. Now and then gives free memory back to the
 * system: the C library keeps what lies between blocks in use, in each of its arenas as much as all
 * connections together had, if they come and go. */
void weir_sqlite_alloc_closed(void);

#endif
